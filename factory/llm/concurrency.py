"""Concurrent work whose results are yielded in order."""

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
    """Another item has failed and stopped the batch; that item's error is raised to the caller."""


class ConcurrentBatch:
    """A batch of items in threads. The first error stops all of them, those that sleep included."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds`. Raises BatchStoppedError when the batch stops meanwhile."""
        if self._stop.wait(max(seconds, 0.0)):
            raise BatchStoppedError

    def run_each(
        self, work: Callable[[str, T, ConcurrentBatch], R], items: Mapping[str, T], order: Sequence[str], workers: int,
        report: Reporter,
    ) -> Iterator[R]:
        """Run `work` once per item; yield the results in `order`, in which a name may occur more than once.

        Requests in flight when the batch stops, or its consumer does, are completed, since they are paid for.
        """
        pool = ThreadPoolExecutor(workers, thread_name_prefix="teacher")
        try:
            futures = {name: pool.submit(self._run_until_stopped, work, name, item) for name, item in items.items()}
            yield from self._yield_in_order([futures[name] for name in order], report)
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _run_until_stopped(self, work: Callable[[str, T, ConcurrentBatch], R], name: str, item: T) -> R:
        try:
            self.sleep(0)
            return work(name, item, self)
        except BaseException as error:
            with self._lock:
                if self._error is None and not isinstance(error, BatchStoppedError):
                    self._error = error
            self._stop.set()
            raise

    def _yield_in_order(self, futures: Sequence[Future[R]], report: Reporter) -> Iterator[R]:
        for index, future in enumerate(futures):
            while not future.done():
                wait([future], PROGRESS_INTERVAL)
                done = index + sum(later.done() for later in futures[index:])
                report.report_progress(done, len(futures), "answers")
                self._raise_first_error()  # a later item may fail while this one is still waiting
            self._raise_first_error()
            yield future.result()
            report.report_progress(index + 1, len(futures), "answers")

    def _raise_first_error(self) -> None:
        with self._lock:
            if self._error is not None:
                raise self._error
