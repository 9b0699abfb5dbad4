"""A whole build of the toy: what runs, what need not, and what is said about it."""

import json
from pathlib import Path

import pytest
from engine_parts import ran, run

from factory.engine.build import StageError, create_run_id
from factory.events import StageCached, StageFinished, StageStarted
from factory.store.journal import JOURNAL_FILE, read_events
from factory.store.paths import find_home


def test_a_build_ends_in_a_verdict_and_a_bundle(toy: Path) -> None:
    result, events = run(toy)
    assert result.verdict == "SHIP"
    assert result.exit_code == 0
    assert (result.bundle / "factory" / "manifest.json").is_file()
    assert ran(events)[:4] == ["base", "gather", "prepare", "freeze"]
    journal = find_home() / "runs" / result.run / JOURNAL_FILE
    assert [event for _, event in read_events(journal)] == events


def test_a_second_build_runs_nothing_and_says_the_same(toy: Path) -> None:
    first, _ = run(toy)
    second, events = run(toy)
    assert ran(events) == []
    assert sum(isinstance(event, StageCached) for event in events) == 16
    assert (second.verdict, second.bundle) == (first.verdict, first.bundle)


@pytest.mark.parametrize(
    ("override", "first"),
    [("gate.margin=0.01", "gate"), ("train.epochs=2", "train"), ("data.limit=9", "synthesize"),
     ("budget.wall_time=1h", "")],
)
def test_a_field_reruns_what_reads_it_and_all_below(toy: Path, override: str, first: str) -> None:
    run(toy)
    _, events = run(toy, override)
    assert (ran(events) or [""])[0] == first
    assert "base" not in ran(events)


def test_why_names_the_field_that_changed(toy: Path) -> None:
    run(toy)
    _, events = run(toy, "train.epochs=3")
    why = {event.stage: event.why for event in events if isinstance(event, StageStarted)}
    assert why["train"] == "changed: train.epochs: 1.0 → 3.0"
    assert why["answer[tuned]"] == "upstream: train"


def test_force_runs_a_stage_and_what_stands_on_it(toy: Path) -> None:
    first, _ = run(toy)
    second, events = run(toy, force=("score",))
    assert ran(events) == ["score", "gate", "bundle", "certify"]
    assert second.bundle == first.bundle


def test_names_places_comments_and_order_rerun_nothing(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(toy)
    moved = toy.rename(toy.with_name("elsewhere"))
    lines = (moved / "toy.yaml").read_text().splitlines()
    (moved / "toy.yaml").write_text("# the same\n" + "\n".join([lines[0], lines[2], lines[1], *lines[3:]]) + "\n")
    monkeypatch.chdir(moved)
    _, events = run(moved)
    assert ran(events) == []


def test_a_failing_stage_names_its_plugin_and_keeps_what_is_finished(toy: Path) -> None:
    (toy / "rows.jsonl").write_text('{"text": "a", "label": "b", "group": "c"}\n{"text": 3\n')
    with pytest.raises(StageError, match="gather: source 'labelled'") as caught:
        run(toy)
    assert caught.value.exit_code == 64
    good = [json.dumps({"text": f"cat {n}", "label": "cat", "group": str(n)}) + "\n" for n in range(90)]
    (toy / "rows.jsonl").write_text("".join(good))
    _, events = run(toy)
    assert "base" not in ran(events)
    assert any(isinstance(event, StageFinished) and event.stage == "gather" for event in events)


def test_run_ids_of_one_second_sort_as_the_runs_began() -> None:
    ids = [create_run_id("toy", 1_795_312_620 + n / 7) for n in range(7)]
    assert ids == sorted(ids) and ids[0] == "20261122-015700-toy-0000"
