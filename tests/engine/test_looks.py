"""Looks at the test rows are counted: whoever rebuilds until it ships pays for each further look."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
from toy_project import rows

from factory.data.rows import read_jsonl
from factory.evaluation.look_confidence import compute_look_confidence
from factory.runs.garbage import collect_garbage
from factory.store.looks import LOOKS_FILE, SAMPLE_SIZE, Look, read_looks, record_look

FORGETFUL = ("--set", "objective.forget=0.5")
"""So that another seed answers otherwise."""


@pytest.fixture
def spec(toy: Path) -> Path:
    return toy / "toy.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def build(spec: Path, home: Path, seed: int, *settings: str) -> dict[str, Any]:
    """What the gate says to a build with this seed."""
    changes = [word for setting in settings for word in ("--set", setting)]
    code, said = builds.build(spec, home, *FORGETFUL, "--set", f"train.seed={seed}", *changes)
    assert code in (0, 2, 3), said
    return gate(home)


def gate(home: Path) -> dict[str, Any]:
    """What the gate said to the newest run."""
    judged: dict[str, Any] = show(home)["gate"]
    return judged


def show(home: Path, *options: str) -> Any:
    run = [sys.executable, "-m", "factory", "show", *options]
    said = subprocess.run([*run, *([] if options else ["--json"])], capture_output=True, text=True, check=True)
    return said.stdout if options else json.loads(said.stdout)


def manifest(home: Path) -> tuple[dict[str, Any], str]:
    """The manifest and the card of the newest bundle."""
    folder = Path(show(home)["bundle"])
    return json.loads((folder / "factory" / "manifest.json").read_text()), (folder / "README.md").read_text()


def test_another_seed_is_another_look_and_all_pages_say_so(
    spec: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ana-of-the-lab")
    told = [build(spec, home, seed) for seed in (1, 2, 3, 4)]
    assert [gate["looks"]["number"] for gate in told] == [1, 2, 3, 4]
    assert [gate["confidence"] for gate in told] == [0.95, 0.95, *(compute_look_confidence(0.95, k) for k in (3, 4))]
    assert {gate["looks"]["confidence"] for gate in told} == {0.95}

    facts, card = manifest(home)
    assert facts["gate"]["looks"]["number"] == 4
    assert "- these test rows were judged 4 times: at this look the gate needs intervals of 99.58 %" in card
    report = home / "page.html"
    for command in (["show", "latest"], ["tui", "--once", "verdict"], ["report", "latest", "--out", str(report)]):
        said = subprocess.run([sys.executable, "-m", "factory", *command], capture_output=True, text=True, check=True)
        text = report.read_text() if command[0] == "report" else said.stdout
        assert "these test rows were judged 4 times" in " ".join(text.split()), command

    # Who looked is told on this machine, and never leaves it.
    who = [(look["look"], look["specialist"], look["by"]) for look in show(home)["looks"]]
    assert who == [(number, "toy", "ana-of-the-lab") for number in (1, 2, 3, 4)]
    telling = [file.name for file in home.rglob("*") if file.is_file() and b"ana-of-the-lab" in file.read_bytes()]
    assert telling == [LOOKS_FILE]


def test_what_is_cached_or_judged_by_another_rule_is_no_look(spec: Path, home: Path) -> None:
    first, second = build(spec, home, 1), build(spec, home, 2)
    assert build(spec, home, 1) == first and builds.ran(home) == []
    assert build(spec, home, 2, "gate.margin=0.01", "gate.confidence=0.9")["looks"]["number"] == 2
    assert builds.ran(home) == ["gate", "bundle", "certify"]
    assert build(spec, home, 2, "name=renamed")["looks"]["number"] == 2
    assert len(read_looks(home)) == 2
    assert second["looks"]["number"] == 2


def test_garbage_collection_loses_no_look_and_a_lost_output_gets_its_number_again(spec: Path, home: Path) -> None:
    first = [build(spec, home, seed) for seed in (1, 2)]
    bundle = builds.digest(home)
    ledger = (home / LOOKS_FILE).read_bytes()
    collect_garbage(home, 1)
    assert (home / LOOKS_FILE).read_bytes() == ledger
    assert build(spec, home, 1) == first[0] and "look" in builds.ran(home)
    code, _ = builds.build(spec, home, *FORGETFUL, "--set", "train.seed=2", "--force", "look")
    assert code in (0, 2, 3) and builds.ran(home)[0] == "look"
    assert (gate(home), builds.digest(home)) == (first[1], bundle)
    assert (home / LOOKS_FILE).read_bytes() == ledger


def test_a_kill_after_the_look_is_entered_costs_no_second_one(spec: Path, home: Path) -> None:
    build(spec, home, 1)
    seeded = (*FORGETFUL, "--set", "train.seed=2")
    code, _ = builds.faulty(spec, home, "commit:look", *seeded)
    assert code == -9 and len(read_looks(home)) == 2
    assert builds.ran(home)[-1] == "look" and "look" not in builds.finished(home)
    with (home / LOOKS_FILE).open("ab") as file:
        file.write(b'{"test":"torn by a full di')
    assert build(spec, home, 2)["looks"]["number"] == 2
    assert build(spec, home, 3)["looks"]["number"] == 3
    assert [look.spec for look in read_looks(home)] == ["toy"] * 3


def test_two_builds_at_once_are_two_looks(spec: Path, home: Path) -> None:
    pair = [builds.start(spec, home, *FORGETFUL, "--set", f"train.seed={seed}") for seed in (1, 2)]
    assert all(builds.ended(process)[0] in (0, 2, 3) for process in pair)
    numbers = [json.loads(file.read_text())["number"] for file in home.glob("store/look/*/output/look.json")]
    assert sorted(numbers) == [1, 2] and len(read_looks(home)) == 2


def test_one_row_more_is_no_fresh_test_set_but_a_renewed_one_is(spec: Path, home: Path) -> None:
    (spec.parent / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(300)))
    assert build(spec, home, 1)["looks"]["number"] == 1
    assert build(spec, home, 1, "data.split.test=62")["looks"]["number"] == 2
    fresh = build(spec, home, 1, "data.split.renew=1")
    assert fresh["looks"]["number"] == 1
    (before, _, after) = [
        {row["id"] for row in read_jsonl(folder / "output" / "test.jsonl")}
        for folder in sorted((home / "store" / "freeze").iterdir(), key=lambda folder: folder.stat().st_mtime)
        if folder.is_dir()
    ]
    assert len(after) == 60 and not before & after
    assert len(show(home)["looks"]) == 1


def look(number: int, sample: range, test: str = "t", answers: str = "") -> Look:
    digests = tuple(sorted(f"{x:016x}" for x in sample)[:SAMPLE_SIZE])
    return Look(test, digests, answers or f"a{number}", f"k{number}", "toy")


def test_sets_are_the_same_if_half_of_their_rows_are(tmp_path: Path) -> None:
    assert record_look(tmp_path, look(1, range(60), "t1")) == 1
    assert record_look(tmp_path, look(2, range(20, 80), "t2")) == 2  # 40 of 80
    assert record_look(tmp_path, look(3, range(70, 130), "t3")) == 1
    assert record_look(tmp_path, look(4, range(60), "t1")) == 3
    assert record_look(tmp_path, look(5, range(1000, 1030), "t1")) == 3  # the digest alone says so, of looks 1 and 4
    assert record_look(tmp_path, look(1, range(60), "t1")) == 1
    assert len(read_looks(tmp_path)) == 5
    assert (tmp_path / LOOKS_FILE).stat().st_mode & 0o777 == 0o600


def test_a_torn_line_hides_no_other(tmp_path: Path) -> None:
    record_look(tmp_path, look(1, range(60)))
    file = tmp_path / LOOKS_FILE
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:-9])
    assert record_look(tmp_path, replace(look(2, range(60)), user="ana", at=5.0)) == 2
    file.write_bytes(file.read_bytes() + b'[]\n{"test": 3}\n')
    assert [(found.answers, found.user) for found in read_looks(tmp_path)][1] == ("a2", "ana")
    assert [found.answers for found in read_looks(tmp_path)] == ["a1", "a2"]
