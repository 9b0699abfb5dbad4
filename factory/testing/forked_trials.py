"""Trials of plugins in a fresh interpreter, each in a fork of its own, so that they can not affect each other.

`python -m factory.testing.forked_trials REQUEST REPLY`: the request is a pickled list of trials, the reply a JSON list
of observations.
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
from typing import Any, cast

from factory import identity
from factory.api import Objective, Plugin
from factory.registry.registry import Registry
from factory.testing.case import Case
from factory.testing.column_access import ColumnAccess, copy_row_columns
from factory.testing.role_checks import INTERRUPTIBLE_CALLS, check_role
from factory.testing.sandbox import (
    ModelNeededError,
    OffContractError,
    Trial,
    load_world_registry,
    shorten_fields,
    write_files,
)

SIGNIFICANT_DIGITS = 6
"""Significant digits of compared numbers: the last digits differ between machines."""


def main() -> None:
    """Run every trial of the request."""
    request_file, reply_file = (Path(argument) for argument in sys.argv[1:3])
    request = pickle.loads(request_file.read_bytes())
    sys.path[:0] = [path for path in request["path"] if path not in sys.path]
    load_world_registry()  # before the forks, which share it
    reply_file.write_text(json.dumps([run_trial_in_fork(trial) for trial in request["trials"]]))


def run_trial_in_fork(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a trial in a fork and return its observation, or how the fork ended if it returned none."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _write_observation(write_end, request)
    os.close(write_end)
    data, late = _read_pipe_until(read_end, float(request["timeout"]))
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if late:
        return {"ended": f"it did not finish within {request['timeout']:g} s"}
    if not data:
        return {"ended": f"it ended the process (status {os.waitstatus_to_exitcode(status)}); raise an error instead"}
    observation: dict[str, Any] = json.loads(data)
    return observation


def _write_observation(pipe: int, request: Mapping[str, Any]) -> None:
    """Run a trial, write its observation to a pipe and exit, whatever happens."""
    # What the plugin prints must not mix with the output of the test run.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        observation = json.dumps(observe_trial(request))
    except BaseException as error:  # a trial may raise anything, including SystemExit
        observation = json.dumps({"raised": _format_exception(error)})
    with os.fdopen(pipe, "w") as out:
        out.write(observation)
    os._exit(0)


def _read_pipe_until(pipe: int, timeout: float) -> tuple[bytes, bool]:
    """Read a pipe until it is closed; return the data and whether the timeout was reached."""
    end, data = time.monotonic() + timeout, b""
    with os.fdopen(pipe, "rb", buffering=0) as source:
        while True:
            ready, _, _ = select.select([source], [], [], max(end - time.monotonic(), 0))
            if not ready:
                return data, True
            chunk = source.read(1 << 16)
            if not chunk:
                return data, False
            data += chunk


def _format_exception(error: BaseException) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def observe_trial(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run one plugin and observe its output, reads and mutations; unless `brief`, also repeat and interrupt it."""
    kind = _import_plugin_class(request["module"], request["name"])
    case, models, start = request["case"], bool(request["models"]), time.monotonic()
    registry = load_world_registry()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = _run_observed_trial(kind, case, registry, root / "first", models)
        if "output" not in first:
            return first
        output = first.pop("output")
        more: dict[str, Any] = {}
        if not request["brief"] and not issubclass(kind, Objective):
            resumed = _run_after_interruption(kind, case, registry, root / "resumed", models) == output
            # If the interrupted run gave the same output, so would a plain second run.
            same = resumed or _run_observed_trial(kind, case, registry, root / "again", models).get("output") == output
            error = _run_on_empty_columns(kind, case, registry, root / "empty", models)
            more = {"same": same, "resumed": resumed, "unexpected_error": error}
    digest = identity.digest_bytes(identity.encode_canonical(output))
    return {"same": True, "resumed": True, "unexpected_error": "", **first, **more, "digest": digest,
            "seconds": round(time.monotonic() - start, 2)}


def _import_plugin_class(module: str, name: str) -> type[Plugin]:
    kind: Any = importlib.import_module(module)
    for part in name.split("."):
        kind = getattr(kind, part)
    return cast("type[Plugin]", kind)


def _prepare_trial(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool = False) -> Trial:
    root.mkdir()
    write_files(case, root)
    package = kind.__module__.partition(".")[0]
    trial = Trial(kind(**shorten_fields(kind, case)), case, root, registry, ColumnAccess(package), check_role)
    if models:
        from factory.ml.kit import load_kit
        from factory.testing.random_models import build_random_base

        trial.kit_loader = load_kit
        trial.base = build_random_base(root / "models", trial.output_type)
    return trial


def _run_observed_trial(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> dict[str, Any]:
    """Run a plugin once and return its output, the columns it read, and whether it modified its input."""
    trial = _prepare_trial(kind, case, registry, root, models)
    before = identity.encode_canonical([copy_row_columns(trial.rows), _copy_side_tables(trial)])
    try:
        output = json.loads(json.dumps(round_numbers(trial.run())))
    except ModelNeededError as error:
        return {"needs_model": str(error)}
    except OffContractError as error:
        return {"violation": str(error)}
    except Exception as error:
        return {"raised": _format_exception(error)}
    access = trial.column_access
    after = identity.encode_canonical([copy_row_columns(trial.rows), _copy_side_tables(trial)])
    text_columns = {name for name, value in copy_row_columns(trial.rows[:1])[0].items() if isinstance(value, str)}
    return {
        "output": output, "mutated": after != before,
        "plugin_reads": sorted(access.plugin_reads - {trial.make_task().text_column}),
        "optional_reads": sorted(access.optional_reads), "all_reads": sorted(access.all_reads),
        # A plugin that reads all text columns works with whatever columns there are.
        "reads_everything": access.reads_everything or (text_columns or {""}) <= access.plugin_reads,
    }


def _copy_side_tables(trial: Trial) -> Any:
    return {name: [dict(row.columns) for row in table.values()] for name, table in trial.tables.items()}


def _run_after_interruption(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> Any:
    """Interrupt a run after two values and return the output of the next run, which must not be affected."""
    trial = _prepare_trial(kind, case, registry, root, models)
    method = INTERRUPTIBLE_CALLS.get(kind.role)
    if method is not None:
        with suppress(Exception):  # errors are reported by the complete run
            started = method(trial)
            next(started, None)
            next(started, None)
            started.close()
    return json.loads(json.dumps(round_numbers(replace(trial).run())))


def _run_on_empty_columns(kind: type[Plugin], case: Case, registry: Registry, root: Path, models: bool) -> str:
    """Return the error of a plugin on rows whose declared columns are None; "" for an ordinary exception or none."""
    trial = _prepare_trial(kind, case, registry, root, models)
    columns = dict.fromkeys(getattr(trial.plugin, "columns", ()))
    trial.rows = [row.with_columns(**columns) for row in trial.rows]
    try:
        trial.run()
    except Exception:  # an ordinary exception is expected here
        return ""
    except BaseException as error:
        return _format_exception(error)
    return ""


def round_numbers(value: Any) -> Any:
    """Round the floats in a JSON value to SIGNIFICANT_DIGITS."""
    if isinstance(value, dict):
        return {str(name): round_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [round_numbers(inner) for inner in value]
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
