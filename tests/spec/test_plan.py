"""A plan is a pure function of a spec."""

import subprocess
import sys
from pathlib import Path

from toy_project import resolved

from factory.plan.compiler import Plan, compile_plan

SCRIPT = """
import sys
from pathlib import Path
from factory.plan.compiler import compile_plan
from factory.registry.registry import Registry
from factory.spec.layers import resolve_spec
plan = compile_plan(resolve_spec(Path(sys.argv[1]), registry=Registry.load()))
print([(stage.name, stage.key) for stage in plan.stages])
"""


def plan(folder: Path, *overrides: str) -> Plan:
    return compile_plan(resolved(folder, *overrides)[0])


def keys(folder: Path, *overrides: str) -> dict[str, str]:
    return {stage.name: stage.key for stage in plan(folder, *overrides).stages}


def test_the_stages_stand_in_an_order_in_which_they_can_run(toy: Path) -> None:
    seen: set[str] = set()
    for stage in plan(toy).stages:
        assert {*stage.inputs.values(), *stage.after} <= seen
        seen.add(stage.name)


def test_keys_are_the_same_under_any_hash_seed_timezone_and_folder(toy: Path, tmp_path: Path) -> None:
    import os

    said = set()
    for seed, zone, place in (("0", "UTC", toy), ("1", "Asia/Tokyo", tmp_path), ("2", "America/Lima", Path("/"))):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        arguments = [sys.executable, "-c", SCRIPT, str(toy / "toy.yaml")]
        run = subprocess.run(arguments, env=environment, cwd=place, capture_output=True, text=True, check=True)
        said.add(run.stdout)
    assert len(said) == 1


def test_an_input_counts_by_its_content_not_its_name(toy: Path) -> None:
    before = keys(toy)
    (toy / "rows.jsonl").rename(toy / "other.jsonl")
    (toy / "toy.yaml").write_text((toy / "toy.yaml").read_text().replace("rows.jsonl", "other.jsonl"))
    assert keys(toy) == before
    (toy / "other.jsonl").write_text((toy / "other.jsonl").read_text() + "\n")
    assert keys(toy)["gather"] != before["gather"]


def test_a_runtime_field_changes_no_key(toy: Path) -> None:
    before = keys(toy)
    assert keys(toy, "budget.threads=1", "budget.memory=2GiB", "train.checkpoint_every=7") == before


def test_the_gate_changes_only_what_stands_on_it(toy: Path) -> None:
    before, after = keys(toy), keys(toy, "gate.confidence=0.9")
    assert [name for name in before if before[name] != after[name]] == ["gate", "bundle", "certify"]


def test_preflight_limits_do_not_retrain(toy: Path) -> None:
    before, after = keys(toy), keys(toy, "data.preflight.truncated=0.5")
    assert before["train"] == after["train"]
    assert before["preflight"] != after["preflight"]


def test_a_chosen_backend_changes_the_keys_of_what_the_student_does_and_auto_none(toy: Path) -> None:
    before = keys(toy)
    chosen = {backend: keys(toy, f"train.backend={backend}") for backend in ("auto", "cpu", "hf")}
    assert chosen["auto"] == before
    student = [name for name in before if name.startswith(("train", "answer"))]
    for name in student:
        assert len({before[name], chosen["cpu"][name], chosen["hf"][name]}) == 3, name
    rows = ("base", "gather", "prepare", "freeze", "synthesize", "curate", "preflight")
    assert all(chosen["hf"][name] == before[name] for name in rows)
