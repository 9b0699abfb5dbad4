"""Trials of plugins in two fresh interpreters with different hash seeds."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from factory.api import Plugin
from factory.testing import class_checks
from factory.testing.case import Case

HASH_SEEDS = ("1", "2")
"""The order of sets differs between these hash seeds; outputs must not."""

Observation = Mapping[str, Any]


def observe_plugin(kind: type[Plugin], case: Case) -> tuple[Observation, Observation]:
    """Observe one plugin under two hash seeds; if it turns out to need a model, repeat with a random one."""
    observations = run_trials([(kind, case)])[0]
    return run_trials([(kind, case)], always=True)[0] if "needs_model" in observations[0] else observations


def run_trials(
    plugins: Sequence[tuple[type[Plugin], Case]], models: bool = True, always: bool = False
) -> list[tuple[Observation, Observation]]:
    """Observe each plugin under two hash seeds. With `models`, objectives and probes get a random model, with `always`
    all plugins; a plugin that lacks a model is observed as `needs_model`.
    """
    trials = [
        {"module": kind.__module__, "name": kind.__qualname__, "case": case, "timeout": case.timeout_seconds,
         "models": always or (models and class_checks.is_model_plugin(kind))}
        for kind, case in plugins
    ]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        request = Path(folder) / "request"
        processes = [stack.enter_context(_start_interpreter(request, seed, trials)) for seed in HASH_SEEDS]
        for process in processes:
            _, errors = process.communicate()
            if process.returncode:
                raise RuntimeError(f"the trial failed: {errors.decode(errors='replace').strip().splitlines()[-1:]}")
        replies = [json.loads((request.parent / f"reply-{seed}.json").read_text()) for seed in HASH_SEEDS]
    return list(zip(*replies, strict=True))


def _start_interpreter(request: Path, seed: str, trials: Sequence[Mapping[str, Any]]) -> subprocess.Popen[bytes]:
    """Start an interpreter with a hash seed for all trials; only that of the first seed runs every check."""
    seed_trials = [{**trial, "brief": seed != HASH_SEEDS[0]} for trial in trials]
    request = request.with_name(f"request-{seed}")
    request.write_bytes(pickle.dumps({"path": sys.path, "trials": seed_trials}))
    environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    reply = request.parent / f"reply-{seed}.json"
    command = [sys.executable, "-m", "factory.testing.forked_trials", str(request), str(reply)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
