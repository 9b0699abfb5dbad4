"""Client of a worker process: starts it, sends requests, enforces the limits of all workers, and stops it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory.errors import BUG, UNAVAILABLE
from factory.spec.fields import Budget
from factory.store.fsync import write_whole
from factory.store.machine_memory import parse_memory_limit
from factory.text.quantities import parse_quantity

BUDGET_CHECK_INTERVAL = 0.5
"""Seconds between two checks of the budget."""
WORKER_ENVIRONMENT = {
    # Spinning threads made builds four times slower on a busy machine, and no faster on an idle one.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Large tensors are freed and allocated every step: returning their memory to the system costs page faults.
    "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**35), "MALLOC_TOP_PAD_": str(2**28),
}
"""Defaults of the worker's environment; variables of the user win."""


@dataclass
class WorkerLimits:
    """The limits that the workers of a build share: wall time since the first one started, and memory together."""

    wall_seconds: float
    memory_bytes: float
    pids: list[int] = field(default_factory=list)
    start_time: float = field(default_factory=time.monotonic)

    @classmethod
    def from_budget(cls, budget: Budget) -> WorkerLimits:
        return cls(parse_quantity(budget.wall_time), parse_memory_limit(budget.memory))

    def describe_excess(self) -> str:
        """Return the error of an exceeded limit, else nothing."""
        spent, used = time.monotonic() - self.start_time, sum(map(_measure_resident_bytes, list(self.pids)))
        if spent > self.wall_seconds:
            return f"budget.wall_time is used up ({spent:.0f} s); raise it and run again: finished stages are kept"
        if used <= self.memory_bytes:
            return ""
        if len(self.pids) == 1:
            return f"the worker uses {used / 2**30:.1f} GiB, above budget.memory; raise it or lower train.batch_size"
        workers = f"the {len(self.pids)} workers use {used / 2**30:.1f} GiB together, above budget.memory"
        return f"{workers}; raise it, or lower budget.parallel or train.batch_size"


@dataclass
class WorkerClient:
    """A running worker and its two pipes. One thread may read replies while another stops the worker."""

    process: subprocess.Popen[bytes]
    requests: int
    replies: int
    limits: WorkerLimits
    log: Path
    last_budget_check: float = 0.0
    is_stopped: bool = False
    is_closed: bool = False

    @classmethod
    def start(cls, threads: int, limits: WorkerLimits, log: Path) -> WorkerClient:
        """Start a worker in its own session, so that Ctrl-C reaches the parent only."""
        worker_in, requests = os.pipe()
        replies, worker_out = os.pipe()
        environment = {
            **WORKER_ENVIRONMENT, **os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads),
            "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1",
        }
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "factory.engine.worker", str(worker_in), str(worker_out)],
                pass_fds=(worker_in, worker_out), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env=environment, start_new_session=True,
            )
        # The parent must not hold the worker's ends: a pipe closes, and its reader sees the end, with the last holder.
        os.close(worker_in)
        os.close(worker_out)
        limits.pids.append(process.pid)
        return cls(process, requests, replies, limits, log)

    def send_request(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a request and yield the replies; the last one is `done` or `failed`, also if the worker dies."""
        try:
            write_whole(self.requests, json.dumps(request).encode() + b"\n", self.log)
        except BrokenPipeError:
            yield self._build_death_reply()
            return
        pending = b""
        while True:
            data = self._read_reply_bytes()
            if isinstance(data, dict):
                yield data
                return
            *lines, pending = (pending + data).split(b"\n")  # a read may end in the middle of a line
            for line in lines:
                reply: dict[str, Any] = json.loads(line)
                yield reply
                if "event" not in reply:
                    return

    def _read_reply_bytes(self) -> bytes | dict[str, Any]:
        """Return bytes of the pipe, or a `failed` reply if the worker died, was stopped or exceeded the budget."""
        while not self.is_stopped:
            if excess := self._check_budget_limits():
                self.stop()
                return {"failed": excess, "exit_code": UNAVAILABLE, "ended": True}
            # The end of the pipe is no sure sign of death: a process that the worker left behind may hold it open.
            ready, _, _ = select.select([self.replies], [], [], BUDGET_CHECK_INTERVAL)
            if ready:
                return os.read(self.replies, 1 << 16) or self._build_death_reply()
        return self._build_death_reply()

    def _check_budget_limits(self) -> str:
        """Return the error of an exceeded limit, else nothing; checks at most every `BUDGET_CHECK_INTERVAL` seconds."""
        now = time.monotonic()
        if now - self.last_budget_check < BUDGET_CHECK_INTERVAL:
            return ""
        self.last_budget_check = now
        return self.limits.describe_excess()

    def _build_death_reply(self) -> dict[str, Any]:
        code = self.process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return {"failed": f"the worker died ({how}); see {self.log}", "exit_code": BUG, "ended": True}

    def stop(self) -> None:
        """Terminate the worker, and kill it after 5 seconds. May be called twice, and from any thread."""
        self.is_stopped = True
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def close(self) -> None:
        """Stop the worker and close its pipes, which nobody may be reading any more. May be called twice."""
        self.stop()
        if not self.is_closed:
            self.is_closed = True
            for pipe in (self.requests, self.replies):
                os.close(pipe)


def _measure_resident_bytes(pid: int) -> float:
    """Return the resident memory of a process in bytes; 0 without /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
