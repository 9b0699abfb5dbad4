"""A build that is killed, stopped or doubled ends as an undisturbed one does."""

import os
import signal
from pathlib import Path

import pytest
import toy_builds as builds

from factory.events import Measured, Noted, RunFinished
from factory.store.outputs import Store

KILLS = ["both:2", "both:35", "both:80", "both:60", "event:30", "both:120", "both:180", "both:40"]
"""One after the other in one store, so that each comes further than the last."""
OPERATIONS = 660
"""File operations in the store that the worker of a whole toy build makes, about."""
SLOW = ("--set", "objective.pause=0.05")


@pytest.fixture
def spec(toy: Path) -> Path:
    return toy / "toy.yaml"


def undisturbed(spec: Path, tmp_path: Path) -> str:
    code, _ = builds.build(spec, tmp_path / "undisturbed")
    assert code == 0
    return builds.digest(tmp_path / "undisturbed")


def nobody_left(home: Path) -> None:
    builds.until(lambda: not builds.living(home), seconds=10)


def steps(home: Path, run: int = -1) -> list[int]:
    return [event.step for event in builds.events(home, run) if isinstance(event, Measured)]


def test_kills_at_many_moments_change_nothing(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    died = []
    for kill in KILLS:
        code, _ = builds.faulty(spec, home, kill)
        assert code == -signal.SIGKILL, kill
        nobody_left(home)
        died += builds.ran(home)[-1:]
        assert all(
            (place.output).is_dir() and place.read_meta()["stage"] for place in Store(home).iter_complete_outputs()
        )
    assert len(set(died)) >= 4, died
    assert builds.build(spec, home)[0] == 0
    assert builds.digest(home) == undisturbed(spec, tmp_path)
    assert not list((home / "store").glob("*/*.part"))


@pytest.mark.slow
@pytest.mark.parametrize("at", range(5, OPERATIONS, 18))
def test_a_kill_at_any_file_operation_changes_nothing(spec: Path, tmp_path: Path, at: int) -> None:
    home = tmp_path / "home"
    code, _ = builds.faulty(spec, home, f"both:{at}")
    assert code == -signal.SIGKILL
    assert builds.build(spec, home)[0] == 0
    assert builds.digest(home) == undisturbed(spec, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, 125, 4))
def test_a_kill_of_the_parent_after_any_event_leaves_nobody_behind(spec: Path, tmp_path: Path, at: int) -> None:
    home = tmp_path / "home"
    code, _ = builds.faulty(spec, home, f"event:{at}")
    assert code == -signal.SIGKILL
    nobody_left(home)
    assert builds.build(spec, home)[0] == 0
    assert builds.digest(home) == undisturbed(spec, tmp_path)


def test_a_half_written_folder_is_no_output(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    builds.faulty(spec, home, "commit:freeze")
    half = builds.ran(home)[-1]
    assert half == "freeze"
    assert half not in builds.finished(home)
    assert [path.parent.name for path in (home / "store").glob("*/*.part")] == [half]
    assert half not in [place.kind for place in Store(home).iter_complete_outputs()]
    assert builds.build(spec, home)[0] == 0
    assert builds.ran(home)[0] == half


def test_the_worker_of_a_killed_parent_ends_and_training_goes_on(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = builds.start(spec, home, *SLOW)
    builds.until(lambda: (home / "runs").is_dir() and list((home / "runs").iterdir()) and len(steps(home)) > 5)
    assert len(builds.living(home)) == 1
    process.kill()
    builds.ended(process)
    nobody_left(home)
    before = steps(home)
    assert not any(isinstance(event, RunFinished) for event in builds.events(home))
    assert builds.build(spec, home, *SLOW)[0] == 0
    after = steps(home)
    assert before[0] == 1 and before[-1] <= after[0] <= before[-1] + 3
    assert "base" not in builds.ran(home)


def test_ctrl_c_is_said_in_one_line_and_the_next_command_goes_on(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = builds.start(spec, home, *SLOW)
    builds.until(lambda: (home / "runs").is_dir() and list((home / "runs").iterdir()) and len(steps(home)) > 3)
    os.kill(process.pid, signal.SIGINT)
    code, said = builds.ended(process)
    assert (code, said[-1]) == (130, "interrupted; run the same command to resume")
    assert not any("Traceback" in line for line in said)
    last = builds.events(home)[-1]
    assert isinstance(last, RunFinished) and last.exit_code == 130
    assert not builds.living(home)
    before = steps(home)[-1]
    assert builds.build(spec, home, *SLOW)[0] == 0
    assert steps(home)[0] >= before


def test_two_builds_at_once_make_each_stage_once(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    pair = [builds.start(spec, home), builds.start(spec, home)]
    assert [builds.ended(process)[0] for process in pair] == [0, 0]
    both = [builds.events(home, run)[-1] for run in (0, 1)]
    assert [(last.verdict, last.bundle) for last in both] == [("SHIP", both[0].bundle)] * 2
    made = builds.ran(home, 0) + builds.ran(home, 1)
    assert len(made) == len(set(made)) == 16


def test_a_second_build_waits_for_the_first_and_says_so(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = builds.start(spec, home, *SLOW)
    builds.until(lambda: (home / "runs").is_dir() and list((home / "runs").iterdir()) and len(steps(home)) > 3)
    second = builds.start(spec, home, *SLOW)
    assert [builds.ended(process)[0] for process in (first, second)] == [0, 0]
    notes = [event.text for event in builds.events(home, 1) if isinstance(event, Noted)]
    assert "waiting for another build that runs this stage" in notes
    assert "train" not in builds.ran(home, 1)


def test_a_worker_that_dies_alone_is_said_in_one_line(spec: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    code, said = builds.faulty(spec, home, "worker:300")
    assert code == 70
    assert said[-1].startswith("train: the worker died (SIGKILL); see ")
    assert not any("Traceback" in line for line in said)
    last = builds.events(home)[-1]
    assert isinstance(last, RunFinished) and last.exit_code == 70
    assert builds.build(spec, home)[0] == 0
    assert builds.ran(home)[0] == "train"
