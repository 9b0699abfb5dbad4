"""A fresh interpreter in which plugins are tried, one fork each: what one of them does can not touch the next.

`python -m factory.testing.forked_trials REQUEST REPLY`: a request is a pickled list of trials, a reply says what was seen.
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
from factory.registry.registry import Registry
from factory.testing.case import Case
from factory.testing.column_access import ColumnAccess, copy_row_columns
from factory.testing.role_checks import INTERRUPTIBLE_CALLS
from factory.testing.sandbox import (
    ModelNeededError,
    OffContractError,
    Trial,
    load_world_registry,
    shorten_fields,
    write_files,
)

SIGNIFICANT_DIGITS = 6
"""Significant digits of a number that count: the last ones differ between machines."""


def main() -> None:
    """Try every plugin of the request."""
    request, reply = (Path(argument) for argument in sys.argv[1:3])
    asked = pickle.loads(request.read_bytes())
    sys.path[:0] = [path for path in asked["path"] if path not in sys.path]
    load_world_registry()  # once, for all forks
    reply.write_text(json.dumps([run_trial_in_fork(trial) for trial in asked["trials"]]))


def run_trial_in_fork(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a fork of this process saw of one plugin; how it ended, when it did not come back."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _write_observation(theirs, asked)
    os.close(theirs)
    said, late = _read_pipe_until(ours, float(asked["patience"]))
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if late:
        return {"ended": f"it did not come back within {asked['patience']:g} s"}
    if not said:
        return {"ended": f"it ended the process (status {os.waitstatus_to_exitcode(status)}); raise an error instead"}
    found: dict[str, Any] = json.loads(said)
    return found


def _write_observation(pipe: int, asked: Mapping[str, Any]) -> None:
    """Write what was seen to a pipe and end, whatever happens."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        seen = json.dumps(observe_trial(asked))
    except BaseException as error:  # a trial may raise anything, SystemExit included
        seen = json.dumps({"raised": _format_exception(error)})
    with os.fdopen(pipe, "w") as out:
        out.write(seen)
    os._exit(0)


def _read_pipe_until(pipe: int, patience: float) -> tuple[bytes, bool]:
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


def _format_exception(error: BaseException) -> str:
    said = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {said}"


def observe_trial(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Try one plugin: its output, what it read and changed; then, unless `brief`, the rest of what can go wrong."""
    kind = _import_plugin_class(asked["module"], asked["name"])
    case, models, start = asked["case"], bool(asked["models"]), time.monotonic()
    registry = load_world_registry()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = _run_observed_trial(kind, case, registry, root / "first", models)
        if "output" not in first:
            return first
        output = first.pop("output")
        more: dict[str, Any] = {}
        if not asked["brief"] and not issubclass(kind, Objective):
            broken = _run_after_interruption(kind, case, registry, root / "broken", models)
            same = broken == output
            again = same or _run_observed_trial(kind, case, registry, root / "again", models).get("output") == output
            more = {"same": again, "resumed": same, "poor": _run_on_empty_columns(kind, case, registry, root / "poor", models)}
    digest = identity.digest_bytes(identity.encode_canonical(output))
    return {"same": True, "resumed": True, "poor": "", **first, **more, "digest": digest,
            "seconds": round(time.monotonic() - start, 2)}


def _import_plugin_class(module: str, name: str) -> type[Plugin]:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    kind: type[Plugin] = found
    return kind


def _prepare_trial(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool = False) -> Trial:
    root.mkdir()
    write_files(case, root)
    trial = Trial(kind(**shorten_fields(kind, case)), case, root, registry, ColumnAccess(kind.__module__.partition(".")[0]))
    if models:
        from factory.ml.kit import TRANSFORMERS_KIT
        from factory.testing.random_models import build_random_base

        trial.kit_loader = lambda: TRANSFORMERS_KIT
        trial.base = build_random_base(root / "models", trial.output_type)
    return trial


def _run_observed_trial(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> dict[str, Any]:
    """One run of a plugin, and what was seen meanwhile."""
    trial = _prepare_trial(kind, case, registry, root, models)
    before = identity.encode_canonical([copy_row_columns(trial.rows), _copy_side_tables(trial)])
    try:
        output = json.loads(json.dumps(round_numbers(trial.run())))
    except ModelNeededError as error:
        return {"model": str(error)}
    except OffContractError as error:
        return {"off": str(error)}
    except Exception as error:
        return {"raised": _format_exception(error)}
    read = trial.column_access
    theirs = {trial.make_task().text_column}
    changed = identity.encode_canonical([copy_row_columns(trial.rows), _copy_side_tables(trial)]) != before
    return {
        "output": output, "own": sorted(read.plugin_reads - theirs), "asked": sorted(read.optional_reads), "anyone": sorted(read.all_reads),
        "whole": read.reads_everything or _list_text_columns(trial) <= set(read.plugin_reads), "mutated": changed,
    }


def _list_text_columns(trial: Trial) -> set[str]:
    """The columns that hold text: a plugin that reads all of them takes whatever there is."""
    return {name for name, value in copy_row_columns(trial.rows[:1])[0].items() if isinstance(value, str)} or {""}


def _copy_side_tables(trial: Trial) -> Any:
    return {name: [dict(row.columns) for row in table.values()] for name, table in trial.tables.items()}


def _run_after_interruption(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> Any:
    """The output of a run that follows one which was broken off: nothing of that may be left."""
    trial = _prepare_trial(kind, case, registry, root, models)
    method = INTERRUPTIBLE_CALLS.get(kind.role)
    if method is not None:
        with suppress(Exception):  # what a run that is broken off says is nobody's business
            started = method(trial)
            next(started, None)
            next(started, None)
            started.close()
    whole = replace(trial)
    return json.loads(json.dumps(round_numbers(whole.run())))


def _run_on_empty_columns(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> str:
    """How a plugin fails on rows whose declared columns hold nothing; empty for an ordinary Python error, or none."""
    trial = _prepare_trial(kind, case, registry, root, models)
    columns = dict.fromkeys(getattr(trial.plugin, "columns", ()))
    trial.rows = [row.with_columns(**columns) for row in trial.rows]
    try:
        trial.run()
    except Exception:  # an ordinary error is what is wanted
        return ""
    except BaseException as error:
        return _format_exception(error)
    return ""


def round_numbers(value: Any) -> Any:
    """A JSON value with numbers to a few significant digits, whole ones as they are."""
    if isinstance(value, dict):
        return {str(name): round_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [round_numbers(inner) for inner in value]
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
