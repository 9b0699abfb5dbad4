"""The read model: it keeps up with journals that grow, tear, change hands or vanish, and says what they are."""

import os
import subprocess
import sys
from pathlib import Path

from fake_runs import fake_run
from tui_parts import NOW, home_of_three, line

from factory import events
from factory.runs.run_index import MAX_WHOLE_BYTES, TAIL_BYTES, RunIndex
from factory.runs.run_view import DEAD, FINISHED, RUNNING, STOPPED
from factory.tui.delete_runs import delete_runs, plan_deletion
from factory.tui.estimates import estimate_remaining_time, load_earlier_runs, measure_process_usage
from factory.tui.follow import TORN_AFTER, JournalFollower
from factory.tui.run_watcher import RunWatcher

PLAN = [{"name": name, "key": f"{i:032x}"} for i, name in enumerate(("gather", "train", "gate"))]


def begun(pid: int = 2**30) -> events.RunStarted:
    return events.RunStarted("r", "icd", "reranker", "a.yaml", "", PLAN, [], "0.1", pid)


def journal(home: Path, *lines: bytes, run: str = "20261122-010000-icd-0001") -> Path:
    path = home / "runs" / run / "journal.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))
    return path


def test_a_tail_gives_each_event_once(tmp_path: Path) -> None:
    path = journal(tmp_path, line(1, begun()))
    tail = JournalFollower(path)
    assert len(tail.read_new_events()[1]) == 1 and tail.read_new_events()[1] == []
    with path.open("ab") as file:
        file.write(line(2, events.StageStarted("train", "k", "new"))[:20])
        file.flush()
        assert tail.read_new_events()[1] == [] and not tail.torn
        file.write(line(2, events.StageStarted("train", "k", "new"))[20:])
    assert [type(event).__name__ for _, event in tail.read_new_events()[1]] == ["StageStarted"]


def test_half_a_line_that_nobody_finishes_is_torn(tmp_path: Path) -> None:
    tail = JournalFollower(journal(tmp_path, line(1, begun()), b'{"at": 17953'))
    for _ in range(TORN_AFTER + 1):
        tail.read_new_events()
    assert tail.torn and not tail.newer_version and tail.invalid_lines == 0


def test_a_journal_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = journal(tmp_path, line(1, begun()), *(line(2, events.Noted("train", "info", f"{i}")) for i in range(9)))
    watch = RunWatcher(path).read_all()
    assert len(watch.notes) == 9
    journal(tmp_path, line(1, begun()), line(3, events.Noted("train", "info", "other")))
    watch.read_all()
    assert [text for *_, text in watch.notes] == ["other"]


def test_a_newer_factory_is_named_and_not_obeyed(tmp_path: Path) -> None:
    newer = b'{"at": 2, "type": "TeleportStarted", "v": 9, "stage": "train"}\n'
    watch = RunWatcher(journal(tmp_path, line(1, begun()), newer, b"not json\n")).read_all()
    assert watch.follower.newer_version and watch.follower.invalid_lines == 1
    assert watch.unknown_events == {"TeleportStarted": 1}
    summary = RunIndex(tmp_path).refresh().list_runs()[0]
    assert summary.newer_version and summary.name == "icd"


def test_a_process_that_is_gone_leaves_a_dead_run(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    started = line(1, events.StageStarted("train", "k", "new"))
    path = journal(tmp_path, line(1, begun(gone.pid)), started)
    view = RunWatcher(path).read_all().get_view()
    assert view.state == DEAD and view.stages["train"].state == STOPPED
    assert RunIndex(tmp_path).refresh().list_runs()[0].state == DEAD
    path.write_bytes(line(4e9, begun(os.getpid())) + started)
    assert RunIndex(tmp_path).refresh().list_runs()[0].state == RUNNING


def test_every_moment_of_the_past_can_be_shown(tmp_path: Path) -> None:
    run = fake_run(tmp_path)
    watch = RunWatcher(tmp_path / "runs" / run / "journal.jsonl").read_all()
    start, end = watch.time_range
    half = watch.get_view_at(start + 23)
    assert half.stages["train"].state == RUNNING and half.stages["gate"].state == "waiting" and half.end is None
    assert watch.get_view_at(end).stages["gate"].state == "done"
    assert 0 < len(watch.get_curve("loss", at=start + 22.5)) < len(watch.get_curve("loss")) == 60


def test_an_index_reads_two_ends_and_tells_what_reading_all_tells(tmp_path: Path) -> None:
    many = [line(10 + i, events.Measured("train", i, {"loss": 1.0})) for i in range(2000)]
    ends = [
        line(9, events.StageStarted("train", "k", "new")),
        *many,
        *(line(3000 + n, events.Progress("train", 1900 + 10 * n, 2000, "steps")) for n in (0, 10)),
    ]
    path = journal(tmp_path, line(1, begun()), *ends)
    assert path.stat().st_size > MAX_WHOLE_BYTES > TAIL_BYTES
    one = RunIndex(tmp_path).refresh().list_runs()[0]
    view = RunWatcher(path).read_all().view
    assert (one.stage, one.stage_number, one.stage_count, one.done, one.total) == ("train", 2, 3, 2000, 2000)
    assert one.rate == 10.0 and one.name == view.name and one.last_event_at == view.last_event_at


def test_an_index_remembers_and_notices(tmp_path: Path) -> None:
    home = home_of_three(tmp_path)
    first = RunIndex(home).refresh()
    first.save()
    again = RunIndex(home).load()
    assert [run.id for run in again.list_runs()] == [run.id for run in first.list_runs()]
    assert not any(again.iter_refresh())
    oldest = again.list_runs()[2]
    assert (oldest.verdict, oldest.state, oldest.baseline) == ("SHIP", FINISHED, "untuned")
    delete_runs(home, [oldest.id])
    assert any(again.iter_refresh()) and len(again.list_runs()) == 2
    again.path.write_text("{torn")
    assert RunIndex(home).load().summaries == {} and len(RunIndex(home).load().refresh().summaries) == 2


def test_a_file_that_can_not_be_read_is_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "runs" / "20261122-010000-icd-0001" / "journal.jsonl").mkdir(parents=True)
    (one,) = RunIndex(tmp_path).refresh().list_runs()
    assert not one.readable and one.name == "icd" and one.error


def test_deleting_says_what_is_lost_and_spares_what_runs(tmp_path: Path) -> None:
    home = home_of_three(tmp_path)
    fake_run(home, "20261122-030000-live-aaaa", end=False, pid=os.getpid(), at=4e9)
    index = RunIndex(home).refresh()
    lost = plan_deletion(index, [one.id for one in index.list_runs()])
    assert len(lost.runs) == 3 and any("is still running and will not be deleted" in text for text in lost.messages)
    assert any("A version of icd can no longer be tried" in text for text in lost.messages)
    assert sorted(delete_runs(home, lost.runs)) == sorted(lost.runs)
    assert os.listdir(home / "runs") == ["20261122-030000-live-aaaa"]


def test_an_end_is_foretold_from_earlier_runs(tmp_path: Path) -> None:
    home = home_of_three(tmp_path)
    fake_run(home, "20261122-030000-icd-aaaa", end=False, pid=os.getpid(), at=NOW)
    index = RunIndex(home).refresh()
    view = RunWatcher(home / "runs" / "20261122-030000-icd-aaaa" / "journal.jsonl").read_all().view
    found = estimate_remaining_time(view, load_earlier_runs(home, "icd", index), NOW + 30)
    assert found is not None and found.earlier_runs == 2
    assert 0 < found.low < found.seconds < found.high


def test_a_process_is_weighed_with_all_below_it() -> None:
    mine = measure_process_usage(os.getpid())
    assert mine is not None and mine.memory_bytes > 2**20 and mine.cpu_seconds > 0
    assert measure_process_usage(2**30) is None
