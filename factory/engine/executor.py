"""Executors: what runs the stages that the engine has decided to run. The local one has worker processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from factory.engine.worker_client import WorkerClient, WorkerLimits
from factory.spec.fields import Budget


class Executor(Protocol):
    """Runs stages, one for each request; several may run at once.

    A request is JSON data: the stage with its config, where its inputs are, and the store's home (see
    `engine.build`). Replies are `{"event": …}` for each event of the stage, then one of `{"done": "ran"}`,
    `{"done": "cached"}` and `{"failed": TEXT, "exit_code": CODE}`, the last with `"ended": True` if the stage did not
    fail by itself but its process ended.
    """

    def run_stage(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Start a stage and return its replies. Called by one thread; each iterator is read in a thread of its own."""

    def close(self) -> None:
        """Stop all stages, whose iterators then end, and release what the executor holds."""


@dataclass
class LocalExecutor:
    """Runs each stage in a worker process on this machine. A worker that is idle takes the next stage.

    Every worker has the same number of threads, however many there are: the last digits of a sum depend on how many
    threads share it, and outputs must not depend on `budget.parallel`.
    """

    budget: Budget
    log: Path
    _workers: list[WorkerClient] = field(default_factory=list)
    _idle: list[WorkerClient] = field(default_factory=list)
    _limits: WorkerLimits | None = None
    _is_closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run_stage(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        return self._relay_replies(worker or self._start_worker(), request)

    def _start_worker(self) -> WorkerClient:
        # The wall time counts from the first worker, as a build without any work to do has no limit.
        self._limits = self._limits or WorkerLimits.from_budget(self.budget)
        worker = WorkerClient.start(count_worker_threads(self.budget), self._limits, self.log)
        self._workers.append(worker)
        return worker

    def _relay_replies(self, worker: WorkerClient, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the replies of a worker, which is idle before the last reply is read: the next stage can have it."""
        is_ours = True
        try:
            for reply in worker.send_request(request):
                if "event" not in reply and not reply.get("ended"):
                    is_ours = not self._release_worker(worker)
                yield reply
        finally:
            if is_ours:
                worker.close()

    def _release_worker(self, worker: WorkerClient) -> bool:
        """Mark a worker as idle. Returns whether it was, as it is not when the executor is closed."""
        with self._lock:
            if not self._is_closed:
                self._idle.append(worker)
            return not self._is_closed

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for worker in self._workers:
            worker.process.terminate()  # all at once, before the first is waited for
        for worker in self._workers:
            worker.stop()
        for worker in idle:  # whoever reads from a busy one closes its pipes
            worker.close()


def count_worker_threads(budget: Budget) -> int:
    """Return the threads of a worker: those of the budget, else one for each core."""
    return budget.threads or os.cpu_count() or 1
