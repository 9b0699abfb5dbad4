"""The version that is served stands in the ring: a refresh must be better, and a rebuild is no rival to itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
from toy_project import resolved, rows

from factory.data.rows import read_jsonl
from factory.errors import InputError
from factory.plan.compiler import compile_plan
from factory.plan.explain import explain_plan
from factory.runs.garbage import collect_garbage
from factory.runs.incumbents import attach_incumbents
from factory.runs.specialists import assign_alias, list_versions
from factory.store.journal import find_last_plan
from factory.store.outputs import Store

RING = "contenders=[tuned, commonest, incumbent]"
SERVED = "contenders=[tuned, commonest, {kind: incumbent, alias: served}]"
POOR, GOOD = "objective.forget=0.6", "objective.forget=0"
"""A toy that has forgotten most words, and one that knows them all."""
JUDGED = ["answer[incumbent]", "score", "gate", "bundle", "certify"]


@pytest.fixture
def spec(toy: Path) -> Path:
    return toy / "toy.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def ring(settings: tuple[str, ...]) -> tuple[str, ...]:
    return settings if any(setting.startswith("contenders=") for setting in settings) else (RING, *settings)


def output(home: Path, stage: str) -> Path:
    """What a stage of the newest run has written."""
    key = next(event.key for event in builds.events(home) if getattr(event, "stage", "") == stage)
    return Store(home).locate_output(stage, key).output


def build(spec: Path, home: Path, *settings: str) -> dict[str, Any]:
    """What the gate says to a build."""
    code, said = builds.build(spec, home, *[word for setting in ring(settings) for word in ("--set", setting)])
    assert code in (0, 2, 3), said
    judged: dict[str, Any] = json.loads((output(home, "gate") / "gate.json").read_text())
    return judged


def ask(*words: str) -> str:
    """What a command prints, on one line."""
    done = subprocess.run([sys.executable, "-m", "factory", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return " ".join((done.stdout + done.stderr).split())


def plan(spec: Path, home: Path, *settings: str) -> tuple[str, set[str]]:
    """What a plan says of its incumbent, and the stages that it would run."""
    spec_of_toy, registry = resolved(spec.parent, *ring(settings))
    made = compile_plan(attach_incumbents(spec_of_toy, registry, home))
    (note,) = made.notes
    reasons = explain_plan(made, Store(home), find_last_plan(home, "toy"))
    return note, {reason.stage for reason in reasons if reason.state != "cached"}


def refused(spec: Path, home: Path, *settings: str) -> str:
    with pytest.raises(InputError) as caught:
        plan(spec, home, *settings)
    return str(caught.value)


def incumbent(gate: dict[str, Any]) -> tuple[str, str, str, int | None, int]:
    """The verdict, and which version was how good, on how many rows, of which it had seen how many."""
    (told,) = gate["incumbents"]
    return gate["verdict"], told["version"], told["state"], told["seen"], told["judged"]


def numbers(home: Path) -> list[tuple[int, str]]:
    return [(version.number, version.verdict) for version in list_versions(home)]


def answers(home: Path, contender: str) -> bytes:
    return (output(home, f"answer[{contender}]") / "answers.jsonl").read_bytes()


def test_a_refresh_is_held_against_what_is_served_and_a_rebuild_runs_nothing(spec: Path, home: Path) -> None:
    assert plan(spec, home, POOR)[0] == "incumbent: left out, as no version of toy was built yet"
    first = build(spec, home, POOR)
    text = "the incumbent is left out: there was no other version to be better than when this was judged"
    assert first["verdict"] == "SHIP" and text in first["reasons"]
    assert [told["finding"] for told in first["incumbents"]] == [text]
    assert "The incumbent is left out: there was no other version" in ask("show")
    served = answers(home, "tuned")

    # It ships, and is served from now on: but it is no rival to itself.
    assert build(spec, home, POOR) == first and builds.ran(home) == []
    own = "toy@1, which toy@shipped points to, is what this spec builds"
    assert plan(spec, home, POOR) == (f"incumbent: left out, as {own}, and it had no incumbent", set())
    told = ask("plan", str(spec), "--set", RING, "--set", GOOD)
    assert told.endswith("incumbent: toy@1, which toy@shipped points to")
    better = build(spec, home, GOOD)
    assert incumbent(better) == ("SHIP", "toy@1", "met", 0, 60)
    assert answers(home, "incumbent") == served
    said = "better than what is served, toy@1"
    card = (output(home, "bundle") / "README.md").read_text()
    assert f"- tuned is {said}; tuned beats incumbent by 0.350 accuracy" in card
    assert "toy@1, was judged on the same test rows, and has seen none of them in its training" in card
    ask("report", "latest", "--out", str(home / "page.html"))
    pages = (ask("show"), ask("tui", "--once", "verdict"), " ".join((home / "page.html").read_text().split()))
    assert all(said in page for page in pages)

    # Now toy@2 is served, and its own plan is as it was.
    assert build(spec, home, GOOD) == better and builds.ran(home) == []
    own = "incumbent: toy@1, as toy@2, which toy@shipped points to, is what this spec builds"
    assert plan(spec, home, GOOD) == (own, set())
    assert numbers(home) == [(1, "SHIP"), (2, "SHIP")]

    worse = build(spec, home, "objective.forget=0.9")
    assert incumbent(worse) == ("NO_SHIP", "toy@2", "failed", 0, 60)
    assert any(line.startswith("tuned is worse than what is served, toy@2: keep it; ") for line in worse["reasons"])
    assert "Tuned is worse than what is served, toy@2: keep it." in ask("show")


def test_rows_that_a_version_was_trained_on_are_counted_and_left_out(spec: Path, home: Path) -> None:
    build(spec, home, GOOD)
    (spec.parent / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(300)))
    more = build(spec, home, GOOD, "data.split.test=160")
    verdict, version, state, seen, judged = incumbent(more)
    frozen = [read_jsonl(file) for file in home.glob("store/freeze/*/output/test.jsonl")]
    small, large = sorted(({row["id"] for row in rows} for rows in frozen), key=len)
    # Its training and validation rows were the rows up to r160 that were no test rows.
    known = {row for row in large if int(row[1:]) <= 160} - small
    assert (seen, judged) == (len(known), len(large) - len(known)) and len(known) >= 20
    assert (verdict, version, state) == ("INSUFFICIENT_EVIDENCE", "toy@1", "open")
    told = f"has seen {seen} of these 160 test rows in its training: it is compared on the other {judged}"
    assert any(told in line for line in more["reasons"]) and told in ask("show")
    assert next(c["n"] for c in more["comparisons"] if c["baseline"] == "incumbent") == judged
    assert next(c["n"] for c in more["comparisons"] if c["baseline"] == "commonest") == 160

    # Once its rows are gone, nobody knows: a loss to it is then no proof that the refresh is worse.
    for file in sorted(home.glob("store/curate/*/stage.json"), key=lambda file: file.stat().st_mtime)[:1]:
        file.unlink()
    unknown = build(spec, home, "objective.forget=0.9", "data.split.test=150")
    assert incumbent(unknown) == ("INSUFFICIENT_EVIDENCE", "toy@1", "open", None, 150)
    lost = next(c for c in unknown["comparisons"] if c["baseline"] == "incumbent")
    assert lost["high"] < 0 and unknown["settle"] is None
    assert "Whether the incumbent, toy@1, has seen some of these 150 test rows can not be known" in ask("show")


def test_a_moved_alias_makes_the_incumbent_answer_again_and_nothing_before_it(spec: Path, home: Path) -> None:
    build(spec, home, SERVED, POOR)
    assert plan(spec, home, SERVED, GOOD)[0] == "incumbent: left out, as toy has no version 'served' yet"
    assign_alias(home, "toy@1", "served")
    assert plan(spec, home, SERVED, POOR)[1] == set()
    assert incumbent(build(spec, home, SERVED, GOOD))[:3] == ("SHIP", "toy@1", "met")
    middle = build(spec, home, SERVED, "objective.forget=0.05")
    assert incumbent(middle)[1] == "toy@1"
    assert plan(spec, home, SERVED, "objective.forget=0.05", "gate.margin=0.01")[1] == {"gate", "bundle", "certify"}
    assign_alias(home, "toy@2", "served")
    straddling = build(spec, home, SERVED, "objective.forget=0.05")
    assert builds.ran(home) == JUDGED
    assert incumbent(straddling)[:3] == ("INSUFFICIENT_EVIDENCE", "toy@2", "open")
    told = "tuned is not shown to be better than what is served, toy@2: keep it; "
    assert any(line.startswith(told) for line in straddling["reasons"])


def test_a_deleted_bundle_is_named_with_a_remedy_unless_the_build_makes_it_again(spec: Path, home: Path) -> None:
    build(spec, home, GOOD)
    kept = builds.digest(home)
    assert build(spec, home, "objective.forget=0.9")["verdict"] == "NO_SHIP"
    collect_garbage(home, 1)
    said = refused(spec, home, "objective.forget=0.8")
    assert "toy.yaml: contenders: the bundle of toy@1, which toy@shipped points to, was deleted from the store;" in said
    assert said.endswith("build that version again, or name another version, or remove this contender")
    build(spec, home, GOOD)
    assert builds.digest(home) == kept and numbers(home) == [(1, "SHIP"), (2, "NO_SHIP")]
    assert "incumbent: toy@1, which" in plan(spec, home, "objective.forget=0.8")[0]

    # Answers of another type, and other words, are of no use either; nor is a version that will never be.
    (bundle,) = {version.bundle for version in list_versions(home) if version.number == 1}
    manifest = bundle / "factory" / "manifest.json"
    facts = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**facts, "answers": "ranking"}))
    said = refused(spec, home, POOR)
    assert "contenders[2]: toy@1 answers with 'ranking', this spec with 'label': they can not be compared" in said
    manifest.write_text(json.dumps({**facts, "digests": {**facts["digests"], "renderer": "0"}}))
    assert "contenders[2]: the templates of 'toy' are no longer those of toy@1" in refused(spec, home, POOR)
    manifest.write_text(json.dumps(facts))
    absent = "contenders=[tuned, commonest, {kind: incumbent, specialist: toi@shipped}]"
    assert "contenders[2]: no specialist 'toi'; did you mean 'toy'?" in refused(spec, home, absent)
    absent = "contenders=[tuned, commonest, {kind: incumbent, alias: '7'}]"
    assert "contenders[2]: toy has no version '7'; it has 1 to 2" in refused(spec, home, absent)
    for place in home.glob("store/base/*"):
        place.rename(home / f"gone-{place.name}")
    (spec.parent / "base" / "model.safetensors").write_bytes(b"another base")
    assert "contenders[2]: the base of toy@1 was deleted from the store; build" in refused(spec, home, POOR)


def test_several_seeds_are_held_against_what_is_served_too(spec: Path, home: Path) -> None:
    seeds = "train.seeds=2"
    assert plan(spec, home, POOR, seeds)[0] == "incumbent: left out, as no version of toy was built yet"
    assert build(spec, home, POOR)["verdict"] == "SHIP"
    assert plan(spec, home, GOOD, seeds)[0] == "incumbent: toy@1, which toy@shipped points to"
    judged = build(spec, home, GOOD, seeds)
    assert incumbent(judged) == ("SHIP", "toy@1", "met", 0, 60)
    assert {"train[seed 7]", "train[seed 8]", "answer[tuned seed 8]", "answer[incumbent]"} <= set(builds.ran(home))
    assert build(spec, home, GOOD, seeds) == judged and builds.ran(home) == [], "nor are its seeds its own rivals"
