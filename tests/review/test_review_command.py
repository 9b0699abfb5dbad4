"""`factory review` as an expert meets it: at a terminal, killed, by spreadsheet, and across rebuilds."""

import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import toy_builds as builds
from toy_project import SPEC, resolved

from factory.bundle import load_manifest
from factory.cli import run_command_line as factory
from factory.plan.compiler import compile_plan
from factory.store.outputs import Store
from factory.store.paths import find_home

REVIEW = "  review: {file: review.jsonl, share: 0.1, acceptance: 0.8}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that holds the toy's rows."""
    return tmp_path_factory.mktemp("made") / "home"


@pytest.fixture
def spec(toy: Path, made: Path) -> Path:
    """The toy, to be reviewed. Its rows are made once."""
    (toy / "toy.yaml").write_text(SPEC + REVIEW)
    if made.exists():
        shutil.copytree(made, find_home())
    else:
        assert factory(["data", str(toy / "toy.yaml"), "--plain"]) == 0
        shutil.copytree(find_home(), made)
    return toy / "toy.yaml"


@pytest.fixture
def state(spec: Path, capsys):
    """What `factory review --json` says of a reviewer."""

    def ask(reviewer: str = "ana", *more: str) -> dict:
        capsys.readouterr()
        assert factory(["review", str(spec), "--json", "--reviewer", reviewer, *more]) == 0
        return json.loads(capsys.readouterr().out)

    return ask


def said(spec: Path) -> list[dict]:
    return [json.loads(line) for line in (spec.parent / "review.jsonl").read_text().splitlines()]


@pytest.fixture
def piped(spec: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """What `factory review` prints when keys come from a pipe."""

    def run(keys: str, reviewer: str = "ana") -> str:
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.StringIO(keys))
        assert factory(["review", str(spec), "--reviewer", reviewer]) == 0
        return capsys.readouterr().out

    return run


def output(folder: Path, stage: str, *overrides: str) -> Path:
    plan = compile_plan(resolved(folder, *overrides)[0])
    return Store(find_home()).locate_output(stage, plan[stage].key).output


def test_a_pipe_decides_line_by_line(spec: Path, state, piped) -> None:
    shown = piped("a\nn not a question\ne owl\nx\ns\nb\nr\n")
    assert "row 1 of 9" in shown and "a accept · r reject" in shown
    assert [line["verdict"] for line in said(spec)][-1] == "reject"
    assert said(spec)[1]["note"] == "not a question"
    now = state()
    assert (now["asked"], now["decided"], len(now["waiting"])) == (9, 4, 5)
    assert all(row.keys() == {"row", "given", "answer"} for row in now["waiting"])


def test_a_terminal_takes_single_keys_and_an_editor(spec: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho owl > "$1"\n')
    editor.chmod(0o755)
    process, master = terminal(spec, EDITOR=str(editor), VISUAL=str(editor))
    for key in "aerbsq":
        until(master, "q quit")
        os.write(master, key.encode())
    assert process.wait(builds.PATIENCE) == 0
    os.close(master)
    verdicts = [line["verdict"] for line in said(spec)]
    assert verdicts[0] == "accept" and verdicts[-3:] == ["reject", "undo", "skip"]
    assert said(spec)[1].get("target", {}) in ({"label": "owl"}, {})


def terminal(spec: Path, **environment: str) -> tuple[subprocess.Popen, int]:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "factory", "review", str(spec), "--reviewer", "ana"],
        stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **environment}, start_new_session=True,
    )
    os.close(slave)
    return process, master


def until(master: int, text: str, heard: str = "") -> str:
    """What a terminal prints until it has said a text."""
    while text not in heard:
        assert select.select([master], [], [], 60)[0], f"silent after {heard[-200:]!r}"
        heard += os.read(master, 1 << 16).decode()
    return heard


def test_kill_9_costs_at_most_the_decision_at_hand(spec: Path, state, piped) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "factory", "review", str(spec), "--reviewer", "ana"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
    )
    process.stdin.write("a\nr\na\n")
    process.stdin.flush()
    builds.until(lambda: (spec.parent / "review.jsonl").exists() and len(said(spec)) == 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert state()["decided"] == 3
    piped("a\na\n")
    assert len({line["row"] for line in said(spec)}) == 5


def test_decisions_survive_a_rebuild_with_another_seed(spec: Path, state, piped) -> None:
    piped("a\nr\na\na\na\na\na\na\na\n")
    other = ("--set", "data.split.seed=8")
    assert state("ana", *other)["decided"] < 9
    assert factory(["data", str(spec), *other, "--plain"]) == 0
    found = json.loads((output(spec.parent, "review", "data.split.seed=8") / "review.json").read_text())
    assert found["reviewed"] >= 4 and found["reviewed"] + found["elsewhere"] == 9


def test_the_gate_refuses_until_experts_accept_enough(spec: Path, capsys, piped) -> None:
    piped("r\nr\nr\na\na\na\na\na\na\n")
    assert factory(["build", str(spec), "--plain"]) == 2
    shown = " ".join(capsys.readouterr().out.split())
    assert "experts accept 66.7% of the training rows unchanged; data.review.acceptance requires 80.0%" in shown
    assert factory(["build", str(spec), "--plain", "--set", "data.review.acceptance=0.5"]) == 0
    bundle = output(spec.parent, "bundle", "data.review.acceptance=0.5")
    facts = load_manifest(bundle)["review"]
    assert (facts["reviewed"], facts["rejected"], facts["kept"], facts["reviewers"]) == (9, 3, 87, 1)
    assert "9 of 90 training rows were reviewed by experts" in (bundle / "README.md").read_text()
    assert "ana" not in (bundle / "factory" / "manifest.json").read_text()


def test_a_demand_changes_the_gate_alone_and_a_decision_the_training(spec: Path, piped) -> None:
    def keys(*overrides: str) -> dict[str, str]:
        return {stage.name: stage.key for stage in compile_plan(resolved(spec.parent, *overrides)[0]).stages}

    before, asked = keys(), keys("data.review.share=0.5")
    changed = {name for name in before if before[name] != asked[name]}
    assert changed == {"gate", "bundle", "certify"}
    piped("a\n")
    after = keys()
    assert before["curate"] == after["curate"] and before["review"] != after["review"] != ""
    assert before["train"] != after["train"]


def test_two_reviewers_get_an_agreement_and_see_where_they_differ(spec: Path, state, piped) -> None:
    piped("a\nr\na\na\n")
    shown = piped("a\nr\nr\na\n", "bob")
    assert "ana and bob agree on 3 of 4 rows (75 %), Cohen's κ 0.50" in shown
    assert "ana accept, bob reject:" in shown
    now = state("bob")
    assert (now["kappa"], len(now["disputes"]), now["pairs"][0]["rows"]) == (0.5, 1, 4)


def test_a_spreadsheet_goes_out_and_comes_back(spec: Path, tmp_path: Path, capsys) -> None:
    sheet = tmp_path / "rows.csv"
    assert factory(["review", str(spec), "--csv", str(sheet), "--rows", "4"]) == 0
    lines = sheet.read_text("utf-8-sig").splitlines()
    assert len(lines) == 5
    sheet.write_text("\n".join([lines[0], *(f"{line[:-2]},accept," for line in lines[1:])]))
    assert factory(["review", str(spec), "--from", str(sheet), "--reviewer", "bob", "--rows", "4"]) == 0
    assert "imported 4 decisions by bob" in capsys.readouterr().err
    assert {line["reviewer"] for line in said(spec)} == {"bob"}


def test_a_spec_that_asks_for_no_review_says_how_to(toy: Path, capsys) -> None:
    assert factory(["review", str(toy / "toy.yaml")]) == 64
    assert "data.review is missing; add it, such as `review: {file: toy.review.jsonl" in (
        capsys.readouterr().err
    )
