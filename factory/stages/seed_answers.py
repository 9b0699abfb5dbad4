"""The answers of tuned by seed where a spec has several, and which seed is bundled."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from factory.data.rows import read_json
from factory.plan.seed_names import find_seed
from factory.stages.job import StageJob


def copy_chosen_answers(job: StageJob) -> None:
    """Write the answers of the seed that is bundled, as they were given."""
    shutil.copytree(find_seed_answers(job)[read_seed_choice(job)["bundled"]], job.out, dirs_exist_ok=True)


def read_seed_choice(job: StageJob) -> dict[str, Any]:
    """Return which seed training chose, and by what: `ChosenSeed.to_json`."""
    choice: dict[str, Any] = read_json(job.inputs["train"] / "train.json")["seeds"]
    return choice


def find_seed_answers(job: StageJob) -> dict[int, Path]:
    """Return seed → the folder of its answers, in the order of the plan; empty where a spec has one seed."""
    names = {role: find_seed(role.partition("[")[2].removesuffix("]")) for role in job.inputs}
    return {
        seed: job.inputs[role] for role, seed in names.items() if seed is not None and role.startswith("answer[")
    }
