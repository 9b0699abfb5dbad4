"""The fault ledger: nothing is lost, wrong, hung or told as a traceback, and it would be seen if it were."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from places import ROOT

from factory.store.outputs import StageOutput

SAMPLE = {
    "mutated-spec": 512, "bundle-damage": 112, "bundle-resealed": 40, "killed-writer": 40, "source-file": 32,
    "home-file": 16, "endpoint": 20, "store-output": 18, "full-disk": 8, "race": 9, "clock": 8, "killed-build": 4,
}


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The benchmark's modules; what they put on the path is taken off it again."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    for name in ("PYTHONPATH", "OMP_NUM_THREADS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        monkeypatch.setenv(name, "1")
    import fault_kinds
    import faults
    from fault_kinds import fault, isolated, stores, world

    sys.path[:0] = [str(fault_kinds.PACKAGES / "toy")]
    return SimpleNamespace(faults=faults, fault=fault, isolated=isolated, stores=stores, world=world)


@pytest.mark.slow
def test_a_sample_of_all_kinds_of_faults_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    run = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "faults.py"), "--faults", "800", "--ledger", str(file)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line for line in lines if line["outcome"] != "ok"] == [] and run.returncode == 0, run.stdout
    assert Counter(line["kind"] for line in lines) == SAMPLE


def test_damage_that_nobody_notices_would_be_a_wrong_result(
    ledger: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = ledger.world.World(tmp_path / "world")
    world.prepare()

    def inject(name: str) -> tuple[str, str]:
        (tmp_path / name).mkdir()
        seen = ledger.stores.inject_store_damage(ledger.fault.Fault("store-output", 3, 7, world, tmp_path / name))
        return str(seen.outcome), seen.what

    right, what = inject("right")
    assert right == "ok"

    def find_nothing(output: StageOutput) -> list[str]:
        return []

    for place in ("factory.runs.home_check.list_damage", "factory.engine.build.list_damage"):
        monkeypatch.setattr(place, find_nothing)
    assert inject("blind") == ("wrong_result", what), "the same fault again"


def test_a_hang_a_crash_and_a_bug_are_told_apart(ledger: SimpleNamespace, tmp_path: Path) -> None:
    def judge(call: object, limit: float = 60.0) -> str:
        failure = ledger.isolated.run_forked(call, tmp_path, tmp_path / "home", limit).find_failure()
        return str(failure[1]) if failure else "ok"

    assert judge(lambda: 1) == "ok"
    assert judge(lambda: time.sleep(600), limit=0.2) == "hang"
    assert judge(lambda: 1 // 0) == judge(lambda: sys.exit(3)) == "traceback"
    command = {"command": "check", "code": 70, "out": "", "err": "internal error"}
    for changed, outcome in (({}, "traceback"), ({"code": 2}, "wrong_result"), ({"code": 64, "err": ""}, "traceback")):
        each = {**command, **changed}
        run = ledger.isolated.run_forked(lambda each=each: [each], tmp_path, tmp_path / "home")
        assert ledger.isolated.judge_commands(run, (0, 64))[1] == outcome


def test_a_ledger_that_was_killed_goes_on_where_it_stopped(ledger: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    line = {"kind": "clock", "number": 0, "seed": 7, "what": "x", "seen": "y", "seconds": 1.0, "outcome": "ok"}
    file.write_text(json.dumps(line) + "\n" + json.dumps(line)[:20])
    assert ledger.faults.read_fault_ledger(file) == [line] and file.read_text() == json.dumps(line) + "\n"
    planned = ledger.faults.schedule(ledger.faults.count_by_kind(ledger.faults.KINDS, 10_000))
    assert len(planned) >= 10_000 and len({(kind.name, number) for kind, number in planned}) == len(planned)
    assert {kind.name for kind, _ in planned[:1000]} == set(SAMPLE)
    assert ledger.faults.print_table([line]) and not ledger.faults.print_table([{**line, "outcome": "lost_work"}])
