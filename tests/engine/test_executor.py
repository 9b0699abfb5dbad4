"""Stages side by side: the same outputs and the same run as one after the other, and a clean end of all together."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
from loopback import serving
from places import PACKAGES
from toy_project import resolved

from factory.engine import worker
from factory.engine.build import BuildResult, StageError, run_build
from factory.engine.executor import Executor
from factory.errors import UNAVAILABLE
from factory.events import RunFinished, StageFailed
from factory.identity import digest_file
from factory.runs.run_view import CACHED, DONE, FAILED, STOPPED, iterate_newest_runs, read_run
from factory.store.journal import list_journals

PAIR = ("contenders=[tuned, commonest, left, right]", "budget.threads=1")
TWO = (*PAIR, "budget.parallel=2")
ARGUMENTS = [text for override in TWO for text in ("--set", override)]
SAME = ("name", "key", "state", "why", "error")


@pytest.fixture
def place(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the two contenders meet."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(PACKAGES / "pair"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PACKAGES / "pair"), os.environ["PYTHONPATH"]]))
    monkeypatch.setenv("FACTORY_PAIR", str(folder))
    return folder


def build(toy: Path, home: Path, *overrides: str, executor: Executor | None = None) -> BuildResult:
    spec, registry = resolved(toy, *overrides)
    return run_build(spec, registry, home, executor=executor)


def outputs(home: Path) -> dict[str, str]:
    """Digest of every file that a stage wrote."""
    store = home / "store"
    files = [path for path in store.glob("*/*/output/**/*") if path.is_file()]
    return {str(path.relative_to(store)): digest_file(path) for path in files}


def view(home: Path) -> dict[str, Any]:
    """All that the newest run tells but when, how long and how large; progress is a matter of time too."""
    run = next(iterate_newest_runs(home))
    stages = [{name: getattr(stage, name) for name in SAME} for stage in run.stages.values()]
    values = [value for value in run.resolved if value["path"] != "budget.parallel"]
    assert run.end is not None
    return {
        "state": run.state, "verdict": run.verdict, "bundle": run.end.bundle, "plan": run.plan, "resolved": values,
        "stages": stages, "notes": run.notes, "measured": run.measurements,
    }


def states(home: Path) -> dict[str, str]:
    return {stage.name: stage.state for stage in read_run(list_journals(home)[-1]).stages.values()}


def both_run(place: Path) -> bool:
    return (place / "left.runs").exists() and (place / "right.runs").exists()


class InThisProcess:
    """Runs stages in the process of the build, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.is_closed = False

    def run_stage(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        asked = json.loads(json.dumps(request))  # another machine would get no more than this
        self.stages.append(asked["stage"]["name"])
        replies: list[Any] = []
        done = worker.run_stage(asked, replies.append)
        yield from (*replies, {"done": done})

    def close(self) -> None:
        self.is_closed = True


def test_another_executor_gives_the_same_outputs_and_the_same_run(toy: Path, tmp_path: Path) -> None:
    build(toy, tmp_path / "workers")
    executor = InThisProcess()
    result = build(toy, tmp_path / "here", executor=executor)
    assert result.verdict == "SHIP" and executor.is_closed
    assert executor.stages == [stage["name"] for stage in view(tmp_path / "here")["plan"]]
    assert outputs(tmp_path / "here") == outputs(tmp_path / "workers")
    assert view(tmp_path / "here") == view(tmp_path / "workers")


def test_two_stages_side_by_side_give_the_same_outputs_and_the_same_run(
    toy: Path, place: Path, tmp_path: Path
) -> None:
    build(toy, tmp_path / "one", *PAIR)
    (place / "meet").touch()  # from now on neither answers before both are at work
    for file in place.glob("*.runs"):
        file.unlink()
    build(toy, tmp_path / "two", *TWO)
    assert both_run(place)
    assert len(outputs(tmp_path / "one")) > 30
    assert outputs(tmp_path / "two") == outputs(tmp_path / "one")
    assert view(tmp_path / "two") == view(tmp_path / "one")


def test_a_failure_stops_the_stage_beside_it_and_what_is_finished_stays(
    toy: Path, place: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    for file in ("meet", "hold", "left.fails"):
        (place / file).touch()
    with pytest.raises(StageError, match=r"answer\[left\]: contender 'left': left was told to fail"):
        build(toy, home, *TWO)
    assert not builds.living(home)
    ended = states(home)
    assert (ended["answer[left]"], ended["answer[right]"]) == (FAILED, STOPPED)
    assert {name for name, state in ended.items() if state == DONE} == set(builds.finished(home))
    assert [event.stage for event in builds.events(home) if isinstance(event, StageFailed)] == ["answer[left]"]
    for file in ("hold", "left.fails"):
        (place / file).unlink()
    kept = builds.finished(home)
    assert build(toy, home, *TWO).verdict
    assert {"answer[left]", "answer[right]", "score"} <= set(builds.ran(home)) and not {*kept} & {*builds.ran(home)}


def test_ctrl_c_in_the_middle_of_two_stops_both(toy: Path, place: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for file in ("meet", "hold"):
        (place / file).touch()
    process = builds.start(toy / "toy.yaml", home, *ARGUMENTS)
    builds.until(lambda: both_run(place))
    assert len(builds.living(home)) == 2
    os.kill(process.pid, signal.SIGINT)
    code, said = builds.ended(process)
    assert (code, said[-1]) == (130, "interrupted; run the same command to resume")
    assert not any("Traceback" in line or "failed" in line for line in said)
    assert not builds.living(home)
    last = builds.events(home)[-1]
    assert isinstance(last, RunFinished) and last.exit_code == 130
    assert (states(home)["answer[left]"], states(home)["answer[right]"]) == (STOPPED, STOPPED)
    (place / "hold").unlink()
    assert builds.build(toy / "toy.yaml", home, *ARGUMENTS)[0] in (0, 2, 3)
    assert sorted(builds.ran(home)[:2]) == ["answer[left]", "answer[right]"]


def test_the_workers_of_a_killed_parent_end(toy: Path, place: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for file in ("meet", "hold"):
        (place / file).touch()
    process = builds.start(toy / "toy.yaml", home, *ARGUMENTS)
    builds.until(lambda: both_run(place))
    process.kill()
    builds.ended(process)
    builds.until(lambda: not builds.living(home), seconds=10)
    assert not any(isinstance(event, (RunFinished, StageFailed)) for event in builds.events(home))


def test_kills_while_two_run_change_nothing(toy: Path, tmp_path: Path) -> None:
    spec, home, side_by_side = toy / "toy.yaml", tmp_path / "home", ("--set", "budget.parallel=2")
    for kill in ("both:20", "event:20", "both:60"):
        assert builds.faulty(spec, home, kill, *side_by_side)[0] == -signal.SIGKILL, kill
        builds.until(lambda: not builds.living(home), seconds=10)
    assert builds.build(spec, home, *side_by_side)[0] == 0
    assert builds.build(spec, tmp_path / "undisturbed")[0] == 0
    assert builds.digest(home) == builds.digest(tmp_path / "undisturbed")
    assert not list((home / "store").glob("*/*.part"))


def test_two_builds_with_two_workers_each_make_each_stage_once(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    pair = [builds.start(toy / "toy.yaml", home, "--set", "budget.parallel=2") for _ in range(2)]
    assert [builds.ended(process)[0] for process in pair] == [0, 0]
    made = builds.ran(home, 0) + builds.ran(home, 1)
    assert len(made) == len(set(made)) == 16


def test_two_stages_with_one_output_do_not_wait_for_each_other_as_two_builds_would(
    toy: Path, place: Path, tmp_path: Path
) -> None:
    embedder = ("models.embedder=./base", "contenders=[tuned, commonest, {kind: left, needs: embedder}]")
    build(toy, tmp_path / "one", *PAIR, *embedder)
    build(toy, tmp_path / "two", *TWO, *embedder)
    assert [states(tmp_path / "two")[name] for name in ("base", "base[embedder]")] == [DONE, CACHED]
    assert view(tmp_path / "two") == view(tmp_path / "one")


def test_a_token_budget_holds_for_two_stages_at_once(toy: Path, place: Path, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    (place / "meet").touch()
    with serving() as one, serving() as other:
        ends = [f"endpoint: {{model: big, base_url: '{server.url}', concurrency: 4}}" for server in (one, other)]
        asking = f"contenders=[tuned, commonest, {{kind: left, {ends[0]}}}, {{kind: right, {ends[1]}}}]"
        with pytest.raises(StageError, match=r"budget\.tokens is used up: .* not paid for again") as caught:
            build(toy, tmp_path / "home", *TWO, asking, "budget.tokens=240")
        assert caught.value.exit_code == UNAVAILABLE
        assert 20 <= len(one.asked) + len(other.asked) < 20 + 8, "12 tokens an answer, four in flight at either"
        assert build(toy, tmp_path / "home", *TWO, asking, "budget.tokens=4800").verdict
        assert one.served.keys() == other.served.keys() and len(one.served) >= 60
        for server in (one, other):
            again = sum(server.served.values()) - len(server.served)
            assert again <= 4, "only what was in flight when the build stopped is paid for twice"
