"""A judge in a spec: when it may decide, what is planned and said for it, and a build whose gate it decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Play, Server, serving

from factory.data.rows import read_json
from factory.engine.build import run_build
from factory.errors import SpecError
from factory.plan.attack_plan import compile_attack_plan
from factory.plan.compiler import compile_plan
from factory.plan.reach import collect_host_uses
from factory.registry.registry import Registry
from factory.spec.layers import ResolvedSpec, resolve_spec
from factory.testing.case import Case
from factory.testing.sandbox import WORLD_FOLDER

pytest.importorskip("openai")
SPEC = {
    "apiVersion": "factory/v1", "name": "judged", "task": "world-text",
    "data": {
        "sources": [{"kind": "world-rows", "file": "world.jsonl", "columns": ["text", "label", "question", "answer"]}],
        "split": {"test": 24, "validation": 10}, "leakage": {"jaccard": 1.0},
    },
    "objective": "world-text", "contenders": ["tuned", "world-text"], "evaluate": ["judge"],
}


def prefer_sentences(body: dict[str, Any]) -> Play:
    """The answer that says what it is; without any, whatever stands first."""
    text = str(body["messages"][-1]["content"])
    first, _, second = text.partition("Answer B:")
    return Play("B" if "it is" in second and "it is" not in first else "A")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(otherwise=prefer_sentences) as running:
        yield running


@pytest.fixture
def spec(server: Server, tmp_path: Path) -> Path:
    rows = Case().build_example_rows()
    names = ("text", "label", "question", "answer")
    lines = [{"id": row.id, "columns": {n: row[n] for n in names}, "group": row.group} for row in rows]
    (tmp_path / "world.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text(json.dumps({"model_type": "world", "architectures": ["World"]}))
    (tmp_path / "base" / "model.safetensors").write_bytes(b"")
    models = {"student": "./base", "judge": {"model": "judge", "base_url": server.url}}
    (tmp_path / "judged.yaml").write_text(json.dumps({**SPEC, "models": models}))
    return tmp_path / "judged.yaml"


def resolve(spec: Path, *overrides: str) -> ResolvedSpec:
    return resolve_spec(spec, overrides=overrides, registry=Registry.load((WORLD_FOLDER,)))


def read_output(home: Path, stage: str, name: str) -> Any:
    (file,) = (home / "store" / stage).glob(f"*/output/{name}")
    return read_json(file)


def test_a_judge_does_not_decide_beside_a_rule_unless_the_gate_says_so(spec: Path) -> None:
    with pytest.raises(SpecError, match="'judge' is a model's opinion, and would decide beside 'chrf'") as caught:
        resolve(spec, "evaluate=[judge, chrf]")
    assert "set gate.metric: judge_win if it shall, or list 'chrf' first" in str(caught.value)
    for overrides in (
        ["evaluate=[chrf, judge]"], ["evaluate=[judge, chrf]", "gate.metric=judge_win"],
        ["evaluate=[judge, chrf]", "gate.metric=chrf"], ["evaluate=[judge]"],
    ):
        assert resolve(spec, *overrides).evals


def test_a_plan_says_where_the_answers_go_and_who_tuned_is(spec: Path) -> None:
    plan = compile_plan(resolve(spec, "evaluate=[chrf, judge]"))
    assert plan["score"].config["tuned"] == "tuned"
    (use,) = collect_host_uses(plan)
    assert use.describe() == f"sends all test rows to {use.host} (score)"
    (attack,) = collect_host_uses(compile_attack_plan(resolve(spec)))
    assert attack.describe() == f"sends all rows to {use.host} (attack)"
    other = compile_plan(resolve(spec, "evaluate=[chrf, {kind: judge, criteria: Be brief.}]"))
    assert other["score"].key != plan["score"].key and other["answer[tuned]"].key == plan["answer[tuned]"].key


@pytest.mark.parametrize("seeds", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_judge_decides_a_build_and_its_bias_is_in_the_scores(
    seeds: int, spec: Path, server: Server, tmp_path: Path
) -> None:
    home, registry = tmp_path / "home", Registry.load((WORLD_FOLDER,))
    resolved = resolve(spec, f"train.seeds={seeds}")
    run_build(resolved, registry, home)
    score, gate = read_output(home, "score", "score.json"), read_output(home, "gate", "gate.json")
    assert gate["metric"] == "judge_win" and gate["verdict"] == "SHIP"
    assert score["contenders"]["tuned"]["judge_win"]["mean"] == 0.5
    assert score["contenders"]["world-text"]["judge_win"]["mean"] < 0.1
    assert score["totals"]["tuned"] == {"judge_win_at_equal_length": 0.5}
    totals = score["totals"]["world-text"]
    assert totals["judge_prefers_longer"] == 1.0 and totals["judge_prefers_first"] == pytest.approx(0.5, abs=0.1)
    asked = len(server.asked)
    run_build(resolved, registry, tmp_path / "home", force=("score",))
    assert len(server.asked) == asked, "the judge's replies are cached"


@pytest.mark.slow
def test_the_win_rate_at_equal_length_may_decide(spec: Path, tmp_path: Path) -> None:
    registry = Registry.load((WORLD_FOLDER,))
    run_build(resolve(spec, "gate.metric=judge_win_at_equal_length"), registry, tmp_path / "home")
    gate = read_output(tmp_path / "home", "gate", "gate.json")
    assert gate["metric"] == "judge_win_at_equal_length" and gate["comparisons"][0]["baseline"] == "world-text"
