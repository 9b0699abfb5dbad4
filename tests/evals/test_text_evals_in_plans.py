"""Evals of texts in a spec: what is planned for them, and how degenerate answers score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eval_parts import build_job, write_rows
from places import ROOT
from prompted_parts import Shouting

from factory.api import Eval
from factory.errors import SpecError
from factory.evaluation.attacks import build_attacks
from factory.plan.attack_plan import compile_attack_plan
from factory.plan.builder import Plan
from factory.plan.compiler import compile_plan
from factory.registry.registry import Registry
from factory.spec.layers import resolve_spec
from factory_evals.chrf import Chrf
from factory_evals.exact_match import ExactMatch
from factory_evals.json_answers import JSONAnswers

SPEC = ROOT / "specs" / "examples" / "dpo.yaml"


def plan(*overrides: str, compiled: Any = compile_plan) -> Plan:
    found: Plan = compiled(resolve_spec(Path(SPEC), overrides=overrides, registry=Registry.load()))
    return found


def test_a_task_enters_the_key_of_scores_that_use_it_alone() -> None:
    prompt = "task.prompt_template='Please: {prompt}'"
    assert "task" not in plan()["score"].config
    scored = plan("evaluate=[preference, chrf, rouge, exact-match]")["score"]
    assert scored.config["task"]["kind"] == "assistant"
    for evaluate, differs in (("[preference]", False), ("[preference, chrf]", True)):
        one, other = (plan(f"evaluate={evaluate}", *more)["score"] for more in ((), (prompt,)))
        assert ("task" in one.config) is differs
        assert (one.identity != other.identity) is differs


def test_a_metric_of_texts_or_its_total_may_decide() -> None:
    evaluate = "evaluate=[preference, chrf, rouge]"
    assert plan(evaluate, "gate.metric=corpus_chrf")["score"].config["total"]["metric"] == "corpus_chrf"
    attack = plan(evaluate, "gate.metric=rouge_l", compiled=compile_attack_plan)["attack"]
    assert attack.config["metric"] == "rouge_l" and attack.config["task"]["kind"] == "assistant"


def test_a_wrong_schema_is_refused_at_its_line_in_the_spec() -> None:
    with pytest.raises(SpecError, match=r"is no JSON Schema at type"):
        plan("evaluate=[preference, {kind: json, json_schema: {type: objekt}}]")


@pytest.mark.parametrize(
    ("plugin", "metric", "winner"),
    [  # the best of the attacks, and what it scores; a right answer has 1
        (JSONAnswers(), "json_valid", 1.0), (JSONAnswers(), "json_match", 0.5), (ExactMatch(), "exact_match", 0.5),
        (Chrf(beta=1), "chrf", 0.9),
    ],
)
def test_degenerate_answers_show_which_metric_they_win(plugin: Eval, metric: str, winner: float) -> None:
    rights = ('{"city": "Oslo"}', '{"city": "Bergen"}', '{"city": "Oslo"}', '{"city": "Alta"}')
    rows, train = write_rows(*rights), write_rows(*rights[:2])
    found = {}
    for attack in build_attacks(Shouting(), rows, rights, train):
        means = []
        for texts in attack.variants:
            scores = [each.values[metric] for each in plugin.score(build_job(rows, texts))]
            means.append(sum(scores) / len(scores))
        found[attack.name] = max(means)
    assert found["empty"] == 0 and found["copy of text"] < 0.2
    assert max(found.values()) == pytest.approx(winner, abs=0.15 if metric == "chrf" else 1e-9)
