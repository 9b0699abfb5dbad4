"""Try plugins in fresh interpreters under two hash seeds, and bring back what was seen."""

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
"""Two hash seeds: sets and hashes differ between them, outputs must not."""

Observation = Mapping[str, Any]


def observe_plugin(kind: type[Plugin], case: Case) -> tuple[Observation, Observation]:
    """What was seen of one plugin; one that asks for a model, though it is not about any, is given a random one."""
    seen = run_trials([(kind, case)])[0]
    return run_trials([(kind, case)], always=True)[0] if "model" in seen[0] else seen


def run_trials(
    asked: Sequence[tuple[type[Plugin], Case]], models: bool = True, always: bool = False
) -> list[tuple[Observation, Observation]]:
    """What was seen of each plugin under two hash seeds. Without `models`, one that needs any says so and no
    more; with `always`, every one gets some.
    """
    wanted = [
        {"module": kind.__module__, "name": kind.__qualname__, "case": case, "patience": case.timeout_seconds,
         "models": always or (models and class_checks.is_model_plugin(kind))}
        for kind, case in asked
    ]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        request = Path(folder) / "request"
        runs = [stack.enter_context(_start_interpreter(request, seed, wanted)) for seed in HASH_SEEDS]
        for process in runs:
            _, errors = process.communicate()
            if process.returncode:
                raise RuntimeError(f"the trial ended: {errors.decode(errors='replace').strip().splitlines()[-1:]}")
        replies = [json.loads((request.parent / f"reply-{seed}.json").read_text()) for seed in HASH_SEEDS]
    return list(zip(*replies, strict=True))


def _start_interpreter(request: Path, seed: str, wanted: Sequence[Mapping[str, Any]]) -> subprocess.Popen[bytes]:
    """An interpreter with a hash seed that tries all; only the first one does all that there is to try."""
    asked = [{**one, "brief": seed != HASH_SEEDS[0]} for one in wanted]
    request = request.with_name(f"request-{seed}")
    request.write_bytes(pickle.dumps({"path": sys.path, "trials": asked}))
    environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    reply = request.parent / f"reply-{seed}.json"
    command = [sys.executable, "-m", "factory.testing.forked_trials", str(request), str(reply)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
