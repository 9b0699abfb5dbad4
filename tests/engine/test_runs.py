import json
import os
import time

import pytest
from fake_runs import fake_run

from factory import events
from factory.errors import InputError
from factory.runs import estimate, run_view, specialists
from factory.runs.run_outputs import RunOutputs
from factory.store.journal import find_last_run_start


def test_a_finished_run_reads_back_whole(tmp_path):
    run = run_view.find_run(tmp_path, fake_run(tmp_path))
    assert (run.name, run.state, run.verdict) == ("icd", "finished", "SHIP")
    assert run.stages["base"].state == run_view.CACHED
    assert run.stages["train"].seconds == 20.5
    assert run.extract_curve()[0][0] == 0
    assert ("curate", "warning") in {(stage, level) for stage, level, _ in run.notes}


def test_a_torn_journal_of_a_dead_process_is_a_dead_run(tmp_path):
    run = run_view.find_run(tmp_path, fake_run(tmp_path, end=False))
    assert run.state == run_view.DEAD
    assert run.stages["train"].state == run_view.STOPPED
    assert run.stages["score"].state == run_view.WAITING
    assert RunOutputs(tmp_path, run).read_stage_json("gate") == {}


def test_a_run_of_a_living_process_is_running_and_knows_its_rate(tmp_path):
    run = run_view.find_run(tmp_path, fake_run(tmp_path, end=False, pid=os.getpid(), at=time.time()))
    train = run.stages["train"]
    assert run.state == run_view.RUNNING
    assert train.state == run_view.RUNNING
    assert (train.done, train.total) == (295, 300)
    assert train.rate == pytest.approx(150, rel=0.05)
    assert train.remaining_seconds == pytest.approx(5 / train.rate)


def test_a_process_that_took_over_the_number_is_not_the_run():
    assert run_view.is_process_alive(os.getpid(), time.time())
    assert not run_view.is_process_alive(os.getpid(), 1_000_000_000.0)
    assert not run_view.is_process_alive(0, time.time())


def test_what_a_newer_factory_wrote_is_passed_over(tmp_path):
    name = fake_run(tmp_path)
    path = tmp_path / "runs" / name / "journal.jsonl"
    lines = path.read_text().splitlines()
    new = json.dumps({"at": 1.0, "type": "Teleported", "stage": "train", "v": 9})
    path.write_text("\n".join([lines[0], new, "{not json", *lines[1:]]) + "\n\x00\xff")
    assert run_view.read_run(path).verdict == "SHIP"


def test_a_stage_named_nowhere_in_the_plan_still_shows():
    run = run_view.fold_events(
        "r", [(5.0, events.StageStarted("extra", "k", "new")), (6.0, events.Progress("extra", 1, 0, "rows"))]
    )
    assert run.stages["extra"].done == 1
    assert run.stages["extra"].remaining_seconds is None


def test_runs_are_found_by_id_start_end_name_and_latest(tmp_path):
    old = fake_run(tmp_path, "20261120-010000-icd-aaaa", at=1000.0)
    new = fake_run(tmp_path, "20261121-010000-icd-bbbb", at=2000.0)
    other = fake_run(tmp_path, "20261119-010000-my-news-cccc", at=500.0)
    found = {
        text: run_view.find_run(tmp_path, text).id for text in (old, "20261120", "aaaa", "icd", "latest", "my-news")
    }
    assert found == {old: old, "20261120": old, "aaaa": old, "icd": new, "latest": new, "my-news": other}


def test_an_unclear_run_is_refused_with_what_there_is(tmp_path):
    with pytest.raises(InputError, match="no runs in"):
        run_view.find_run(tmp_path, "latest")
    fake_run(tmp_path, "20261120-010000-icd-aaaa")
    fake_run(tmp_path, "20261120-020000-icd-bbbb")
    with pytest.raises(InputError, match="matches 2 runs"):
        run_view.find_run(tmp_path, "20261120")
    with pytest.raises(InputError, match="; newest: "):
        run_view.find_run(tmp_path, "zzz")


def test_the_last_start_of_a_name_gives_its_plan(tmp_path):
    fake_run(tmp_path, "20261120-010000-icd-aaaa", salt="old")
    fake_run(tmp_path, "20261121-010000-icd-bbbb", salt="new", end=False)
    fake_run(tmp_path, "20261122-010000-else-cccc")
    started = find_last_run_start(tmp_path, "icd")
    assert started is not None and started.run == "20261121-010000-icd-bbbb"
    assert find_last_run_start(tmp_path, "nobody") is None


def test_versions_are_distinct_bundles_in_order(tmp_path):
    fake_run(tmp_path, "20261120-010000-icd-aaaa", at=1000.0)
    fake_run(tmp_path, "20261121-010000-icd-bbbb", at=2000.0)
    fake_run(tmp_path, "20261122-010000-icd-cccc", at=3000.0, salt="new")
    found = specialists.list_versions(tmp_path)
    assert [(v.number, v.run[-4:]) for v in found] == [(1, "aaaa"), (2, "cccc")]
    assert specialists.resolve_bundle(tmp_path, "icd") == found[1].bundle
    assert specialists.resolve_bundle(tmp_path, "icd@1") == found[0].bundle
    assert specialists.resolve_bundle(tmp_path, str(found[0].bundle)) == found[0].bundle


def test_an_unknown_specialist_or_version_is_refused(tmp_path):
    fake_run(tmp_path)
    with pytest.raises(InputError, match="did you mean 'icd'"):
        specialists.find_version(tmp_path, "idc")
    with pytest.raises(InputError, match="has no version '7'"):
        specialists.find_version(tmp_path, "icd@7")


def test_an_estimate_comes_from_earlier_runs_and_says_how_sure_it_is(tmp_path):
    fake_run(tmp_path)
    earlier = list(run_view.iterate_newest_runs(tmp_path))
    known = estimate.estimate_stage("train", "icd", "smoke", earlier)
    guess = estimate.estimate_stage("train", "icd", "smoke", [])
    assert (known.runs, known.seconds, known.mib) == (1, 20.5, 812.0)
    assert known.least < known.seconds < known.most
    assert guess.runs == 0
    assert guess.least < guess.seconds < guess.most
    assert estimate.sum_estimates([known, guess]).seconds == known.seconds + guess.seconds


def test_runs_come_newest_first_whatever_their_names_and_one_by_one(tmp_path):
    ids = ["20261122-015700-icd-0f3a", "20261122-021500-zebra-1b2c", "20261122-021500-apple-3d4e"]
    for run in ids:
        fake_run(tmp_path, run, salt=run)
    found = run_view.iterate_newest_runs(tmp_path)
    assert next(found).id == ids[2] == run_view.find_run(tmp_path, "latest").id
    (tmp_path / "runs" / ids[0] / "journal.jsonl").unlink()
    assert [run.id for run in found] == [ids[1]], "what vanishes meanwhile is passed over"


def test_a_brief_look_tells_stages_and_the_end_without_what_was_measured(tmp_path):
    path = tmp_path / "runs" / fake_run(tmp_path) / "journal.jsonl"
    whole, brief = run_view.read_run(path), run_view.read_run(path, brief=True)
    assert whole.measurements and not brief.measurements
    assert brief.summarise_run() == whole.summarise_run()
    assert {name: stage.seconds for name, stage in brief.stages.items()} == {
        name: stage.seconds for name, stage in whole.stages.items()
    }
