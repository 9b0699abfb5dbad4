"""How many stages run side by side, which ones, and under which limits."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from engine_parts import ran
from toy_project import resolved

from factory import events
from factory.cli import run_command_line
from factory.engine import parallelism
from factory.engine.build import StageError, run_build
from factory.engine.parallelism import choose_parallel, estimate_build
from factory.engine.stage_graph import StageGraph
from factory.engine.worker_client import WorkerLimits
from factory.plan.compiler import Plan, Stage
from factory.runs.estimate import ResourceEstimate
from factory.spec.fields import Budget


def stage(name: str, *inputs: str, key: str = "", after: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> Stage:
    return Stage(name, {}, {}, {role: role for role in inputs}, key or name, after, hosts)


def wave(graph: StageGraph) -> list[str]:
    """The stages that may run now, all at once; they end together."""
    started = []
    while (one := graph.start_next()) is not None:
        started.append(one.name)
    for name in started:
        graph.finish(name)
    return started


def waves(*stages: Stage) -> list[list[str]]:
    graph, found = StageGraph(Plan("toy", "toy", stages)), []
    while not graph.is_finished:
        found.append(wave(graph))
        assert found[-1], "nothing may start"
    return found


def test_a_stage_starts_when_its_inputs_and_its_checks_are_done() -> None:
    plan = (
        stage("gather"), stage("base"), stage("preflight", "gather"), stage("train", "base", after=("preflight",)),
        stage("answer[a]", "base", "gather"), stage("score", "answer[a]"),
    )
    assert waves(*plan) == [["gather", "base"], ["preflight", "answer[a]"], ["train", "score"]]


def test_with_one_at_a_time_the_order_is_that_of_the_plan() -> None:
    names = ["gather", "base", "train", "answer[b]", "answer[a]"]
    graph, order = StageGraph(Plan("toy", "toy", (stage("gather"), *(stage(name, "gather") for name in names[1:])))), []
    while (one := graph.start_next()) is not None:
        order.append(one.name)
        graph.finish(one.name)
    assert order == names and graph.is_finished


def test_stages_with_one_output_run_in_turn_and_before_what_reads_it() -> None:
    same = stage("base", key="same"), stage("base[teacher]", key="same")
    plan = (*same, stage("base[judge]"), stage("prepare", "base"))
    assert waves(*plan) == [["base", "base[judge]"], ["base[teacher]"], ["prepare"]]


def test_stages_that_ask_one_endpoint_run_in_turn_as_its_rate_limit_is_per_process() -> None:
    asks = {"hosts": ("localhost:8000",)}
    plan = (stage("answer[a]", **asks), stage("answer[b]", **asks), stage("answer[c]", hosts=("api.example.com",)))
    assert waves(*plan) == [["answer[a]", "answer[c]"], ["answer[b]"]]
    hub = {"hosts": ("huggingface.co",)}
    assert waves(stage("base", **hub), stage("base[judge]", **hub)) == [["base", "base[judge]"]]


def parallel(home: Path, *stages: str, **budget: Any) -> int:
    return choose_parallel(Budget(parallel="auto", **budget), stages, "toy", "", home)


def test_auto_takes_as_many_workers_as_have_cores_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(parallelism, "measure_available_bytes", lambda: 64 * 2.0**30)
    answers = [f"answer[{name}]" for name in "abcde"]  # 8,000 MiB each at most, before the first run
    assert parallel(tmp_path, *answers, threads=2, memory="60GiB") == 4  # cores
    assert parallel(tmp_path, *answers, threads=2, memory="20GiB") == 2  # memory
    assert parallel(tmp_path, *answers, threads=2, memory="8GiB") == 1
    assert parallel(tmp_path, "train", "answer[a]", "gate", threads=2, memory="20GiB") == 1  # the largest together
    assert parallel(tmp_path, *answers[:3], threads=2, memory="60GiB") == 3  # no more than there are
    assert parallel(tmp_path, *answers, memory="60GiB") == 1  # a worker has a thread for each core
    monkeypatch.setattr(parallelism, "measure_available_bytes", lambda: 17 * 2.0**30)
    assert parallel(tmp_path, *answers, threads=2, memory="60GiB") == 2
    assert choose_parallel(Budget(parallel=3), answers, "toy", "", tmp_path) == 3


def test_an_estimate_follows_the_longest_way_and_adds_up_the_memory_of_those_at_once() -> None:
    plan = Plan("toy", "toy", (
        stage("gather"), stage("train", "gather"), stage("answer[a]", "gather"), stage("answer[b]", "gather"),
        stage("score", "train", "answer[a]", "answer[b]"),
    ))
    seconds = {"train": 60.0, "answer[a]": 20.0, "answer[b]": 30.0, "score": 1.0}  # gather is cached
    sizes = {"train": 900.0, "answer[a]": 500.0, "answer[b]": 400.0, "score": 100.0}
    costs = {n: ResourceEstimate(s, s / 2, s * 2, sizes[n], sizes[n], sizes[n], 3) for n, s in seconds.items()}
    assert [estimate_build(plan, costs, count).seconds for count in (1, 2, 3)] == [111.0, 61.0, 61.0]
    assert [estimate_build(plan, costs, count).mib for count in (1, 2, 3)] == [900.0, 1400.0, 1800.0]
    two = estimate_build(plan, costs, 2)
    assert (two.least, two.most, two.runs) == (30.5, 122.0, 3)


def test_a_plan_says_how_many_run_side_by_side(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, at_once in (((), ""), (("--set", "budget.parallel=2"), ", up to 2 side by side")):
        assert run_command_line(["plan", str(toy / "toy.yaml"), *arguments]) == 0
        assert f"16 of 16 stages would run{at_once}: about " in capsys.readouterr().out


def test_the_limits_hold_for_all_workers_together() -> None:
    limits = WorkerLimits.from_budget(Budget(memory="1MiB"))
    limits.pids.append(os.getpid())
    assert re.match(r"the worker uses \d\.\d GiB", limits.describe_excess())
    limits.pids.append(os.getpid())
    assert re.match(r"the 2 workers use \d\.\d GiB together", limits.describe_excess())
    assert "lower budget.parallel" in limits.describe_excess()
    limits.memory_bytes, limits.start_time = float("inf"), limits.start_time - 9 * 3600
    assert limits.describe_excess().startswith("budget.wall_time is used up (32400 s)")


class Broken:
    """An executor whose stages end in some way that none should."""

    def __init__(self, *replies: dict[str, Any], error: Exception | None = None) -> None:
        self.replies, self.error = replies, error

    def run_stage(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        yield from self.replies
        if self.error:
            raise self.error

    def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize(("executor", "said"), [
    (Broken(), "base: the executor ended without a result"),
    (Broken(error=ConnectionError("the cluster is gone")), "base: ConnectionError: the cluster is gone"),
])
def test_an_executor_that_gives_no_result_fails_the_build(
    toy: Path, tmp_path: Path, executor: Broken, said: str
) -> None:
    spec, registry = resolved(toy)
    heard: list[events.Event] = []
    with pytest.raises(StageError, match=said) as caught:
        run_build(spec, registry, tmp_path / "home", executor=executor, listener=lambda at, event: heard.append(event))
    assert caught.value.exit_code == 70 and ran(heard) == []
    assert [type(event).__name__ for event in heard] == ["RunStarted", "StageFailed", "RunFinished"]
