"""Calls in a forked process with a time limit, and commands of the factory within them.

A fork starts with everything imported, so that a fault costs milliseconds and can neither crash nor slow others.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from factory.cli import run_command_line
from factory.engine import build, worker
from factory.errors import BUG
from factory.registry.registry import load_installed_registry
from factory.store.outputs import Store
from fault_kinds.fault import Observation, Outcome

PRELOADED = (
    "numpy", "safetensors.numpy", "scipy.stats", "scipy.optimize", "sklearn.isotonic", "openai", "pyarrow.parquet",
    "rich.console", "factory.views.verdict", "factory.views.specialists", "factory.runs.home_check",
    "factory.runs.profile.summary", "factory.cli.verdict_panel", "factory.cli.progress_plain", "factory.cli.data_view",
)
"""Modules that a fault would otherwise load by itself, in seconds that are better spent on faults."""
PATIENCE = 60.0
"""Seconds after which a fault counts as a hang; the slowest takes about five."""
MEMORY = 4 << 30
"""Bytes that a process may map: what wants more fails as a traceback does, and not the machine."""
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class ForkedRun:
    """How a forked call ended: its result as JSON, what it wrote to standard error, its exit status."""

    value: Any
    errors: str
    status: int
    is_hang: bool

    def find_failure(self) -> tuple[str, Outcome] | None:
        """Return what went wrong with the process as a whole, if anything did."""
        if self.is_hang:
            return f"no end within {PATIENCE:.0f} s", Outcome.HANG
        if self.status != 0 or TRACEBACK in self.errors:
            return self.errors.strip()[-1500:] or f"status {self.status}", Outcome.TRACEBACK
        return None


def preload_modules(spec: Path) -> None:
    """Load what commands and stages load late, but for torch, and fill the caches of checks: forks share it."""
    names = [*PRELOADED, "factory.llm.openai_client"]
    for package in ("factory.stages", "factory.cli.commands"):
        folder = importlib.import_module(package).__path__
        names += [f"{package}.{module.name}" for module in pkgutil.iter_modules(folder)]
    for name in names:
        with suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    load_installed_registry()
    for arguments in (["check", str(spec)], ["plan", str(spec), "--json"]):
        run_command(*arguments)


def run_forked(call: Callable[[], Any], folder: Path, home: Path, limit: float = PATIENCE) -> ForkedRun:
    """Run a call in a fork whose factory home is `home`, and return how it ended; its result must be JSON data."""
    sys.stdout.flush()
    number = sum(1 for _ in folder.glob("*.err"))
    errors, result = folder / f"{number}.err", folder / f"{number}.json"
    errors.touch()
    process = os.fork()
    if process == 0:
        _run_child(call, home, errors, result)
    status, is_hang = _wait_until(process, time.monotonic() + limit)
    value = json.loads(result.read_text()) if result.exists() else None
    return ForkedRun(value, errors.read_text(errors="replace"), status, is_hang)


def enter_sandbox(home: Path, errors: Path, memory: int) -> None:
    """Give this process a group, a factory home and a limit of memory of its own, and let it write to a file only."""
    os.setsid()
    handle = os.open(errors, os.O_WRONLY | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.environ["FACTORY_HOME"] = str(home)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _run_child(call: Callable[[], Any], home: Path, errors: Path, result: Path) -> NoReturn:
    code = 1
    try:
        enter_sandbox(home, errors, MEMORY)
        text = json.dumps(call())
        spare = result.with_suffix(".new")
        spare.write_text(text)
        spare.rename(result)
        code = 0
    except BaseException:
        with suppress(OSError):
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(code)


def _wait_until(process: int, deadline: float) -> tuple[int, bool]:
    """Return the exit status of a process, or end it at the deadline, with all of its group."""
    pause = 0.001
    while time.monotonic() < deadline:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), False
        time.sleep(pause)
        pause = min(pause * 1.3, 0.02)
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), True


class ExecutorInProcess:
    """Runs stages in the process of the build, where faults can reach them, and reports failures as a worker does."""

    def __init__(self, *_: Any) -> None:
        """Take what a local executor takes, and need none of it."""

    def run_stage(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        sent = json.loads(json.dumps(request))
        replies: list[Any] = []
        try:
            last: dict[str, Any] = {"done": worker.run_stage(sent, replies.append)}
        except Exception as error:
            stage = sent["stage"]
            place = Store(Path(sent["home"])).locate_output(stage["name"], stage["key"]).work_folder
            text, code = worker.describe_stage_error(error, str(place))
            if code == BUG:
                traceback.print_exc()
            last = {"failed": text, "exit_code": code}
        yield from (*replies, last)

    def close(self) -> None:
        """Nothing is held."""


def run_command(*arguments: str) -> dict[str, Any]:
    """Run a command of the factory in this process, stages included; returns code, out and err."""
    build.LocalExecutor = ExecutorInProcess  # type: ignore[misc, assignment]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace") as out, tempfile.TemporaryFile(
        "w+", encoding="utf-8", errors="backslashreplace"
    ) as err:
        with redirect_stdout(out), redirect_stderr(err):
            code = run_command_line(list(arguments))
        written = []
        for file in (out, err):
            file.seek(0)
            written.append(file.read())
    return {"command": arguments[0], "code": code, "out": written[0], "err": written[1]}


def judge_commands(run: ForkedRun, allowed: Sequence[int]) -> tuple[str, Outcome] | None:
    """Return what is wrong with commands that must end with these exit codes, an error being told in clear lines."""
    if failure := run.find_failure():
        return failure
    for each in run.value:
        told = f"{each['command']}: {each['code']}: {each['err'].strip()[-900:]}"
        if TRACEBACK in each["err"] or each["code"] == BUG:
            return told, Outcome.TRACEBACK
        if each["code"] not in allowed:
            return told, Outcome.WRONG_RESULT
        if each["code"] and not each["err"].strip() and not each["out"].strip():
            return f"{told}: not a word", Outcome.TRACEBACK
    return None


def observe(what: str, seen: str, failure: tuple[str, Outcome] | None) -> Observation:
    """Return an observation of a failure, or of what was seen where there is none."""
    return Observation(what, *failure) if failure else Observation(what, seen)
