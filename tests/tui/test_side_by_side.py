"""What reads a journal copes with stages that ran side by side, whose events alternate."""

from pathlib import Path

import pytest
from tui_parts import line

from factory import events
from factory.cli.progress_plain import PlainProgress
from factory.runs.run_index import summarise_journal
from factory.runs.run_view import fold_events
from factory.tui.run_watcher import RunWatcher

PLAN = [{"name": name, "key": f"{i:032x}"} for i, name in enumerate(("gather", "answer[a]", "answer[b]", "gate"))]


def happened(*more: events.Event) -> list[tuple[float, events.Event]]:
    """Two stages side by side, a second between two events."""
    a, b = (lambda done, name=name: events.Progress(f"answer[{name}]", done, 100, "rows") for name in "ab")
    told = [
        events.RunStarted("r", "toy", "toy", "toy.yaml", "", PLAN, [], "0.1", 2**30),
        events.StageStarted("answer[b]", "k", "new"), events.StageStarted("answer[a]", "k", "new"), b(10), a(1),
        b(20), events.Noted("answer[b]", "info", "of b"), a(2), events.Noted("answer[a]", "info", "of a"), b(30), a(3),
    ]
    return [(100.0 + number, event) for number, event in enumerate([*told, *more])]


def written(home: Path, lines: list[tuple[float, events.Event]]) -> Path:
    path = home / "runs" / "20261122-010000-toy-0001" / "journal.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line(at, event) for at, event in lines))
    return path


def test_each_stage_has_its_own_progress_and_notes_stand_in_the_order_of_the_plan() -> None:
    run = fold_events("r", happened())
    assert [(run.stages[name].done, run.stages[name].rate) for name in ("answer[a]", "answer[b]")] == [
        (3, pytest.approx(1 / 3)), (30, pytest.approx(10 / 3))]
    assert run.notes == [("answer[a]", "info", "of a"), ("answer[b]", "info", "of b")]


def test_the_first_of_the_plan_stands_for_the_run_until_another_fails(tmp_path: Path) -> None:
    def told(*more: events.Event) -> tuple[str, int, int, float]:
        path = written(tmp_path, happened(*more))
        one = summarise_journal(tmp_path, path, path.stat().st_size)
        return one.stage, one.stage_number, one.done, round(one.rate, 2)

    assert told() == ("answer[a]", 2, 3, 0.33)
    assert told(events.StageFinished("answer[a]", "k", 1, 1, 1)) == ("answer[b]", 3, 30, 3.33)
    late = (events.StageFailed("answer[b]", "k", "no", 70), events.StageFinished("answer[a]", "k", 1, 1, 1))
    assert told(*late, events.RunFinished("r", "", 70, 9.0))[0] == "answer[b]"


def test_frequent_progress_is_kept_once_for_each_of_two_stages(tmp_path: Path) -> None:
    steps = [events.Progress(f"answer[{name}]", step, 500, "rows") for step in range(200) for name in "ab"]
    lines = [*happened(), *((200 + number / 100, event) for number, event in enumerate(steps))]
    watch = RunWatcher(written(tmp_path, lines)).read_all()
    assert len(watch.history) < 60
    assert watch.get_view_at(300).stages["answer[a]"].done == watch.get_view_at(300).stages["answer[b]"].done == 199


def test_a_line_of_progress_names_its_stage() -> None:
    lines: list[str] = []
    shown = PlainProgress(lines.append)
    for at, event in happened():
        shown.handle_event(at, event)
    assert [text.partition(":")[0] for text in lines] == ["run r", "answer[b]", "answer[a]"]
    shown.handle_event(120.0, events.Progress("answer[b]", 90, 100, "rows"))
    assert lines[-1].startswith("answer[b]: 90/100 rows")
