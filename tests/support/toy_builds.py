"""Builds of the toy as a person starts them: the command line in a process of its own, and what it left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from places import PACKAGES

from factory import bundle
from factory.events import Event, RunFinished, StageFinished, StageStarted
from factory.store.journal import list_journals, read_events

FAULT = PACKAGES / "fault"
PATIENCE = 120.0
"""Seconds that a test waits for something on a busy machine."""


def ask_factory(*arguments: str) -> str:
    """What a command prints that ends well."""
    run = [sys.executable, "-m", "factory", *arguments]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


def start(
    spec: Path, home: Path, *arguments: str, command: str = "build", cwd: Path | None = None, **environment: str
) -> subprocess.Popen[str]:
    """`python -m factory build SPEC` in a session of its own; it hears Ctrl-C even where the tests do not."""
    return subprocess.Popen(
        [sys.executable, "-m", "factory", command, str(spec), *arguments], cwd=cwd or spec.parent,
        env={**os.environ, "FACTORY_HOME": str(home), **environment}, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The exit code, and the lines of standard error."""
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said.splitlines()


def build(
    spec: Path, home: Path, *arguments: str, cwd: Path | None = None, **environment: str
) -> tuple[int, list[str]]:
    """A build to its end."""
    return ended(start(spec, home, *arguments, cwd=cwd, **environment))


def faulty(spec: Path, home: Path, fault: str, *arguments: str) -> tuple[int, list[str]]:
    """A build that is killed at a moment: see the fault package."""
    path = os.pathsep.join([str(FAULT), os.environ.get("PYTHONPATH", "")])
    return build(spec, home, *arguments, FACTORY_FAULT=fault, PYTHONPATH=path)


def events(home: Path, run: int = -1) -> list[Event]:
    """What a run journalled; the newest run by default."""
    return [event for _, event in read_events(list_journals(home)[run])]


def ran(home: Path, run: int = -1) -> list[str]:
    """The stages that a run started."""
    return [event.stage for event in events(home, run) if isinstance(event, StageStarted)]


def finished(home: Path, run: int = -1) -> list[str]:
    """The stages that a run completed."""
    return [event.stage for event in events(home, run) if isinstance(event, StageFinished)]


def digest(home: Path) -> str:
    """The digest of the bundle that the newest run ended with."""
    last = events(home)[-1]
    assert isinstance(last, RunFinished) and last.bundle, last
    folder = home / "store" / "bundle" / last.bundle / "output"
    assert bundle.verify_bundle(folder) == []
    return bundle.read_bundle_digest(folder)


def until(happened: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def living(home: Path) -> list[int]:
    """Processes of ours that work for this home: the worker, and the child that certifies."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _works_for(folder, home)]


def _works_for(process: Path, home: Path) -> bool:
    try:
        command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
    except OSError:
        return False
    ours = b"factory.engine.worker" in command or b"factory.stages.certify_child" in command
    return ours and f"FACTORY_HOME={home}".encode() in environment.split(b"\0")
