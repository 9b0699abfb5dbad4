"""Which contender a build delivers, from the verdict and the means of all."""

from typing import Any

import pytest

from factory.evaluation.delivery import choose_delivery

LOSS = {"name": "loss", "what": "", "higher_is_better": False, "binary": False}


def choose(
    verdict: str, deliver: str = "best", deployable: Any = ("linear", "prompted"), low: float = -0.1, groups: int = 50,
    **means: float,
) -> tuple[str, str]:
    """The contender and the reason; the deciding metric is accuracy, and its negative is the metric loss."""
    score = {
        "metrics": [{**LOSS, "name": "accuracy", "higher_is_better": True}, LOSS],
        "contenders": {name: {"accuracy": {"mean": mean}, "loss": {"mean": -mean}} for name, mean in means.items()},
    }
    compared = [{"baseline": name, "low": low, "effective_groups": groups} for name in means if name != "tuned"]
    gate = {"verdict": verdict, "margin": 0.0, "comparisons": compared}
    chosen = {
        choose_delivery(deliver, "tuned", {**gate, "metric": metric}, score, deployable)
        for metric in ("accuracy", "loss")
    }
    (by_accuracy,) = {each.contender for each in chosen}
    return by_accuracy, next(each.reason for each in chosen if each.metric == "accuracy")


def test_what_ships_is_delivered() -> None:
    assert choose("SHIP", tuned=0.9, linear=0.8) == ("tuned", "the gate lets it ship")


@pytest.mark.parametrize("verdict", ["NO_SHIP", "PROMPTING_IS_ENOUGH", "INSUFFICIENT_EVIDENCE"])
def test_what_does_not_ship_is_replaced_by_the_best_that_can_be_deployed(verdict: str) -> None:
    assert choose(verdict, tuned=0.9, linear=0.8, prompted=0.7) == (
        "linear", "the best accuracy of the contenders that can be deployed"
    )


@pytest.mark.parametrize(("verdict", "groups", "expected"), [
    ("INSUFFICIENT_EVIDENCE", 50, "tuned"), ("INSUFFICIENT_EVIDENCE", 3, "linear"), ("NO_SHIP", 50, "linear"),
])
def test_thin_evidence_against_others_does_not_cost_what_tuned_is_shown_to_gain(
    verdict: str, groups: int, expected: str
) -> None:
    assert choose(verdict, tuned=0.9, linear=0.8, knn=0.89, low=0.05, groups=groups)[0] == expected


def test_a_better_contender_that_can_not_be_deployed_is_named() -> None:
    name, reason = choose("NO_SHIP", tuned=0.5, linear=0.8, prompted=0.7, tfidf=0.9, knn=0.85)
    assert name == "linear"
    assert reason.endswith("of the contenders that can be deployed (knn, tfidf have a better one but can not)")


def test_where_none_can_be_deployed_tuned_is() -> None:
    assert choose("NO_SHIP", deployable=(), tuned=0.5, linear=0.8) == ("tuned", "no other contender can be deployed")


def test_the_spec_may_name_one_whatever_the_verdict_is() -> None:
    means = {"tuned": 0.9, "linear": 0.8, "prompted": 0.7}
    assert choose("SHIP", "prompted", **means) == ("prompted", "the spec says deliver: prompted")
    assert choose("NO_SHIP", "tuned", **means) == ("tuned", "the spec says deliver: tuned")
