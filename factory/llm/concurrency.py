"""Work done many at a time and given back in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from factory.api import Reporter

T = TypeVar("T")
R = TypeVar("R")
PROGRESS_INTERVAL = 0.5
"""Seconds between two reports of progress."""


class BatchStoppedError(Exception):
    """Another piece of work has ended the batch; its error is the one to tell."""


class ConcurrentBatch:
    """One batch: the first error ends it for all, and whoever waits hears of it by `stop`."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None

    def sleep(self, seconds: float) -> None:
        """Wait so long. Raises StoppedError when the batch has ended meanwhile."""
        if self.stop.wait(max(seconds, 0.0)):
            raise BatchStoppedError

    def run_each(
        self, work: Callable[[str, T, ConcurrentBatch], R], items: Mapping[str, T], order: Sequence[str], workers: int,
        report: Reporter,
    ) -> Iterator[R]:
        """Do every piece of work once, and yield the results in an order in which a name may come again.

        What is at work when the batch ends, or nobody wants more of it, is heard to its end: it is paid for.
        """
        pool = ThreadPoolExecutor(workers, thread_name_prefix="teacher")
        try:
            futures = {name: pool.submit(self._run_until_stopped, work, name, item) for name, item in items.items()}
            yield from self._yield_in_order([futures[name] for name in order], report)
        finally:
            self.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _run_until_stopped(self, work: Callable[[str, T, ConcurrentBatch], R], name: str, item: T) -> R:
        try:
            self.sleep(0)
            return work(name, item, self)
        except BaseException as error:
            with self._lock:
                if self._error is None and not isinstance(error, BatchStoppedError):
                    self._error = error
            self.stop.set()
            raise

    def _yield_in_order(self, futures: Sequence[Future[R]], report: Reporter) -> Iterator[R]:
        for place, future in enumerate(futures):
            while not future.done():
                wait([future], PROGRESS_INTERVAL)
                done = place + sum(each.done() for each in futures[place:])
                report.report_progress(done, len(futures), "answers")
                self._raise_first_error()
            self._raise_first_error()
            yield future.result()
            report.report_progress(place + 1, len(futures), "answers")

    def _raise_first_error(self) -> None:
        with self._lock:
            if self._error is not None:
                raise self._error
