"""Kills a build at an exact moment, so that a test can show that it harms nothing.

`FACTORY_FAULT=event:12` kills the parent after it journalled its twelfth event; `both:40` kills parent and worker at
the worker's fortieth file operation in the store, `worker:40` the worker alone, `step:8` both after the eighth step of
training, `commit:look` both before the output of that kind of stage gets its final name. It brings no kinds.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from factory.api import Plugin, hookimpl
from factory.events import Measured

WATCHED = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod"})
WHO, _, AT = os.environ.get("FACTORY_FAULT", "nobody:0").partition(":")
STORE = os.path.join(os.environ.get("FACTORY_HOME", ""), "store") + os.sep
seen = {"events": 0, "operations": 0}


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Nothing: it only watches."""
    return []


@hookimpl
def factory_event(event: object) -> None:
    """Count the events of the parent, and end it at the chosen one."""
    seen["events"] += 1
    if WHO == "event" and seen["events"] == int(AT):
        os.kill(os.getpid(), signal.SIGKILL)
    if WHO == "step" and isinstance(event, Measured) and event.step >= int(AT):
        me = os.getpid()
        for process in [*Path(f"/proc/{me}/task/{me}/children").read_text().split(), me]:
            os.kill(int(process), signal.SIGKILL)


def _watch(name: str, arguments: tuple[Any, ...]) -> None:
    if name not in WATCHED or not isinstance(arguments[0], (str, os.PathLike)):
        return
    path = os.fspath(arguments[0])
    if WHO == "commit":
        if name == "os.rename" and path.startswith(f"{STORE}{AT}{os.sep}") and path.endswith(".part"):
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
    elif path.startswith(STORE):
        seen["operations"] += 1
        if seen["operations"] == int(AT):
            if WHO == "both":
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


if WHO in ("both", "worker", "commit") and "factory.engine.worker" in " ".join(sys.orig_argv):
    sys.addaudithook(_watch)
