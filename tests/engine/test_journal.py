"""The journal: append-only, and readable whatever happened to its last line."""

from pathlib import Path

from factory.events import Measured, RunFinished, StageCached, UnknownEvent
from factory.store.journal import Journal, read_events


def test_events_come_back_as_they_were_written(tmp_path: Path) -> None:
    events = [StageCached("base", "k"), Measured("train", 3, {"loss": 0.5}), RunFinished("r", "SHIP", 0, 1.5, "b")]
    with Journal(tmp_path / "run" / "journal.jsonl") as journal:
        for event in events:
            journal.write(event)
    assert [event for _, event in read_events(journal.path)] == events


def test_a_torn_last_line_is_survived(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.write(StageCached("base", "k"))
        journal.write(StageCached("gather", "k"))
    journal.path.write_bytes(journal.path.read_bytes()[:-20])
    assert [event for _, event in read_events(journal.path)] == [StageCached("base", "k")]


def test_an_event_of_a_newer_factory_is_kept_as_unknown(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"at": 1.0, "type": "Teleported", "v": 9, "to": "Mars"}\n')
    ((_, event),) = read_events(path)
    assert isinstance(event, UnknownEvent)
    assert event.payload["to"] == "Mars"


def test_a_field_of_a_newer_factory_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"at": 1.0, "type": "StageCached", "v": 2, "stage": "base", "key": "k", "moon": true}\n')
    assert [event for _, event in read_events(path)] == [StageCached("base", "k")]
