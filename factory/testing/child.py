"""A fresh interpreter in which plugins are tried, one fork each: what one of them does can not touch the next.

`python -m factory.testing.child REQUEST REPLY`: a request is a pickled list of trials, a reply says what was seen.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import select
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from factory import identity
from factory.api import Objective, Plugin
from factory.plugins import Registry
from factory.testing.case import Case
from factory.testing.drive import BROKEN
from factory.testing.reading import Reading, plain
from factory.testing.trying import ModelNeededError, OffContractError, Trial, briefly, world, write_files

DIGITS = 6
"""Significant digits of a number that count: the last ones differ between machines."""


def main() -> None:
    """Try every plugin of the request."""
    request, reply = (Path(argument) for argument in sys.argv[1:3])
    asked = pickle.loads(request.read_bytes())
    sys.path[:0] = [path for path in asked["path"] if path not in sys.path]
    world()  # once, for all forks
    reply.write_text(json.dumps([forked(trial) for trial in asked["trials"]]))


def forked(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a fork of this process saw of one plugin; how it ended, when it did not come back."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _speak(theirs, asked)
    os.close(theirs)
    said, late = _heard(ours, float(asked["patience"]))
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if late:
        return {"ended": f"it did not come back within {asked['patience']:g} s"}
    if not said:
        return {"ended": f"it ended the process (status {os.waitstatus_to_exitcode(status)}); raise an error instead"}
    found: dict[str, Any] = json.loads(said)
    return found


def _speak(pipe: int, asked: Mapping[str, Any]) -> None:
    """Write what was seen to a pipe and end, whatever happens."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        seen = json.dumps(observe(asked))
    except BaseException as error:  # a trial may raise anything, SystemExit included
        seen = json.dumps({"raised": _named(error)})
    with os.fdopen(pipe, "w") as out:
        out.write(seen)
    os._exit(0)


def _heard(pipe: int, patience: float) -> tuple[bytes, bool]:
    """What came through a pipe until it was closed, and whether that took too long."""
    end, said = time.monotonic() + patience, b""
    with os.fdopen(pipe, "rb", buffering=0) as source:
        while True:
            ready, _, _ = select.select([source], [], [], max(end - time.monotonic(), 0))
            if not ready:
                return said, True
            data = source.read(1 << 16)
            if not data:
                return said, False
            said += data


def _named(error: BaseException) -> str:
    said = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {said}"


def observe(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Try one plugin: its output, what it read and changed; then, unless `brief`, the rest of what can go wrong."""
    kind = _found(asked["module"], asked["name"])
    case, models, start = asked["case"], bool(asked["models"]), time.monotonic()
    registry = world()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = _tried(kind, case, registry, root / "first", models)
        if "output" not in first:
            return first
        output = first.pop("output")
        more: dict[str, Any] = {}
        if not asked["brief"] and not issubclass(kind, Objective):
            broken = _after_a_break(kind, case, registry, root / "broken", models)
            same = broken == output
            again = same or _tried(kind, case, registry, root / "again", models).get("output") == output
            more = {"same": again, "resumed": same, "poor": _poorly(kind, case, registry, root / "poor", models)}
    digest = identity.digest_bytes(identity.canonical(output))
    return {"same": True, "resumed": True, "poor": "", **first, **more, "digest": digest,
            "seconds": round(time.monotonic() - start, 2)}


def _found(module: str, name: str) -> type[Plugin]:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    kind: type[Plugin] = found
    return kind


def _trial(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool = False) -> Trial:
    root.mkdir()
    write_files(case, root)
    trial = Trial(kind(**briefly(kind, case)), case, root, registry, Reading(kind.__module__.partition(".")[0]))
    if models:
        from factory.ml.kit import TOOLBOX
        from factory.testing.models import base

        trial.toolbox = lambda: TOOLBOX
        trial.base = base(root / "models", trial.form)
    return trial


def _tried(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> dict[str, Any]:
    """One run of a plugin, and what was seen meanwhile."""
    trial = _trial(kind, case, registry, root, models)
    before = identity.canonical([plain(trial.rows), _tables(trial)])
    try:
        output = json.loads(json.dumps(rounded(trial.run())))
    except ModelNeededError as error:
        return {"model": str(error)}
    except OffContractError as error:
        return {"off": str(error)}
    except Exception as error:
        return {"raised": _named(error)}
    read = trial.reading
    theirs = {trial.task().text}
    changed = identity.canonical([plain(trial.rows), _tables(trial)]) != before
    return {
        "output": output, "own": sorted(read.own - theirs), "asked": sorted(read.asked), "anyone": sorted(read.anyone),
        "whole": read.whole or _texts(trial) <= set(read.own), "mutated": changed,
    }


def _texts(trial: Trial) -> set[str]:
    """The columns that hold text: a plugin that reads all of them takes whatever there is."""
    return {name for name, value in plain(trial.rows[:1])[0].items() if isinstance(value, str)} or {""}


def _tables(trial: Trial) -> Any:
    return {name: [dict(row.columns) for row in table.values()] for name, table in trial.tables.items()}


def _after_a_break(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> Any:
    """The output of a run that follows one which was broken off: nothing of that may be left."""
    trial = _trial(kind, case, registry, root, models)
    method = BROKEN.get(kind.role)
    if method is not None:
        with suppress(Exception):  # what a run that is broken off says is nobody's business
            started = method(trial)
            next(started, None)
            next(started, None)
            started.close()
    whole = replace(trial)
    return json.loads(json.dumps(rounded(whole.run())))


def _poorly(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> str:
    """How a plugin fails on rows whose declared columns hold nothing; empty for an ordinary Python error, or none."""
    trial = _trial(kind, case, registry, root, models)
    columns = dict.fromkeys(getattr(trial.plugin, "columns", ()))
    trial.rows = [row.having(**columns) for row in trial.rows]
    try:
        trial.run()
    except Exception:  # an ordinary error is what is wanted
        return ""
    except BaseException as error:
        return _named(error)
    return ""


def rounded(value: Any) -> Any:
    """A JSON value with numbers to a few significant digits, whole ones as they are."""
    if isinstance(value, dict):
        return {str(name): rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
