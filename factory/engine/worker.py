"""A worker process that runs stages, one at a time: torch is imported once, and a base model loaded once.

It reads one JSON request per line from a pipe and writes JSON replies to another; stdout and stderr are left to
libraries and go to a log. When the parent dies, the request pipe closes and the worker exits.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import queue
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory import network_policy
from factory.errors import BUG, INTERRUPTED, UNAVAILABLE, FactoryError
from factory.events import Event, Measured, Noted, Progress, StageFinished, StageStarted, to_json
from factory.llm import BudgetTerms, TeacherPool
from factory.registry.registry import load_installed_registry
from factory.stages.job import StageJob, load_toolbox
from factory.store.chosen_settings import resolve_config
from factory.store.integrity import describe_damage, list_changed_inputs, list_damage, require_intact, seal_meta
from factory.store.outputs import StageOutput, Store

PROGRESS_INTERVAL = 0.2
"""Minimum seconds between two progress events; jobs may report more often."""

SendMessage = Callable[[Mapping[str, Any]], None]


@dataclass
class WorkerReporter:
    """Reporter of a stage that sends its events to the parent."""

    stage: str
    send: SendMessage
    _last_progress: float = 0.0

    def send_event(self, event: Event) -> None:
        self.send({"event": to_json(event)})

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_INTERVAL or (total and done >= total):
            self._last_progress = now
            self.send_event(Progress(self.stage, done, total, unit))

    def log_metrics(self, step: int, **values: float) -> None:
        self.send_event(Measured(self.stage, step, {name: float(value) for name, value in values.items()}))

    def note(self, text: str, *, warning: bool = False) -> None:
        self.send_event(Noted(self.stage, "warning" if warning else "info", text))


def main(requests: int, replies: int) -> None:
    """Handle requests from a file descriptor until it is closed."""
    network_policy.install_audit_hook()
    network_policy.deny_all_hosts("the worker")
    # A thread reads the pipe, so that the worker notices the death of its parent in the middle of a stage.
    pending: queue.Queue[Mapping[str, Any]] = queue.Queue()
    threading.Thread(target=_queue_worker_requests, args=(requests, pending), daemon=True).start()
    lock = threading.Lock()
    with os.fdopen(replies, "w", buffering=1) as pipe:

        def send(message: Mapping[str, Any]) -> None:
            with lock:
                pipe.write(json.dumps(message, ensure_ascii=True) + "\n")

        while True:
            send(_handle_stage_request(pending.get(), send))


def _queue_worker_requests(requests: int, pending: queue.Queue[Mapping[str, Any]]) -> None:
    with os.fdopen(requests) as pipe:
        for line in pipe:
            pending.put(json.loads(line))
    os._exit(INTERRUPTED)


def _handle_stage_request(request: Mapping[str, Any], send: SendMessage) -> dict[str, Any]:
    try:
        return {"done": run_stage(request, send)}
    except Exception as raised:
        error = network_policy.find_denial(raised) or raised
        with suppress(OSError):  # the log is on the same disk, which may be full
            traceback.print_exc()
            sys.stderr.flush()
        stage = request["stage"]
        place = Store(Path(request["home"])).locate_output(stage["name"], stage["key"]).work_folder
        text, code = describe_stage_error(error, str(place))
        return {"failed": text, "exit_code": code}


def describe_stage_error(error: BaseException, place: str = "the store") -> tuple[str, int]:
    """Return a one-line message and the exit code for an exception of a stage; `place` is where it writes."""
    if isinstance(error, FactoryError):
        return str(error), error.exit_code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        path = error.filename or place
        return f"no space left on the disk while writing {path}; free some space and run again", UNAVAILABLE
    if isinstance(error, OSError):
        # A write that fails half-way does not say to which file; a lost connection does not concern one.
        path = error.filename or (place if error.errno in (errno.EFBIG, errno.EIO, errno.EROFS) else "")
        return f"{error.strerror or error}" + (f": {path}" if path else ""), UNAVAILABLE
    if isinstance(error, MemoryError):
        return "out of memory; lower train.batch_size, or use a machine with more memory", UNAVAILABLE
    if isinstance(error, ImportError):
        return f"{error}; install the missing package", UNAVAILABLE
    return f"{type(error).__name__}: {error}".splitlines()[0], BUG


def run_stage(request: Mapping[str, Any], send: SendMessage) -> str:
    """Run a stage unless its output exists and is intact. Return `ran` or `cached`."""
    stage, home = request["stage"], Path(request["home"])
    store, reporter = Store(home), WorkerReporter(stage["name"], send)
    output = store.locate_output(stage["name"], stage["key"])
    inputs = {role: store.locate_output(name, key) for role, (name, key) in request["inputs"].items()}
    with store.lock_output(output, lambda: reporter.note("waiting for another build that runs this stage")):
        # Another build may have run the stage while this one waited for the lock.
        if output.is_complete and not request["force"] and _is_output_valid(store, output, inputs, reporter):
            return "cached"
        if request["force"]:
            store.forget(output)  # under the lock: nobody else may be writing it
        reporter.send_event(StageStarted(stage["name"], stage["key"], request["why"]))
        _execute_stage(request, store, output, inputs, reporter)
    return "ran"


def _is_output_valid(
    store: Store, output: StageOutput, inputs: Mapping[str, StageOutput], reporter: WorkerReporter
) -> bool:
    """Return whether an output can be used; one that is damaged, or made of other inputs, is out of the way then."""
    if damage := list_damage(output):
        aside = store.set_aside(output)
        text = f"its output was damaged and is made again: {describe_damage(damage)}; what is left of it is in {aside}"
        reporter.note(text, warning=True)
        return False
    if changed := list_changed_inputs(output, inputs):
        reporter.note(f"made again: {', '.join(changed)} came out otherwise than when this was made", warning=True)
        store.forget(output)
        return False
    return True


def _execute_stage(
    request: Mapping[str, Any], store: Store, output: StageOutput, inputs: Mapping[str, StageOutput],
    reporter: WorkerReporter,
) -> None:
    for source in inputs.values():
        require_intact(source)
    stage, out = request["stage"], store.begin(output)
    terms = BudgetTerms(**request["terms"])
    folders = {role: source.output for role, source in inputs.items()}
    job = StageJob(
        stage=stage["name"], config=resolve_config(stage["config"], folders), inputs=folders,
        out=out, work=out.parent / "work", root=Path(request["root"]), home=store.home, report=reporter,
        registry=load_installed_registry(tuple(map(Path, request["plugins"]))),
        client_pool=TeacherPool(store.home, terms, load_toolbox),
    )
    start, cpu = time.monotonic(), _measure_cpu_seconds()
    _run_stage_module(job, request["run"], stage["hosts"], terms)
    seconds, cpu_seconds = time.monotonic() - start, _measure_cpu_seconds() - cpu
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss: bytes on macOS, KiB on Linux
    peak_mib = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
    finished = StageFinished(stage["name"], output.key, round(seconds, 3), round(cpu_seconds, 3), peak_mib)
    meta = {**to_json(finished), "made_by": request["journal"], "identity": stage["identity"]}
    store.commit(output, seal_meta(meta, out, inputs))
    reporter.send_event(finished)


def _run_stage_module(job: StageJob, module: str, hosts: Sequence[str], terms: BudgetTerms) -> None:
    """Run the module of a stage with access to these hosts only, then report requests and denied connections."""
    with network_policy.enforce_network_policy(job.stage, hosts, replay=terms.replay) as policy:
        try:
            importlib.import_module(module).run(job)
        finally:
            if job.client_pool is not None:
                job.client_pool.close(job.report)
            for denial in policy.denials.values():
                job.report.note(str(denial), warning=True)


def _measure_cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
