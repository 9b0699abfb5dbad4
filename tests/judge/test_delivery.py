"""Which contender a build delivers, from the verdict and the means of all."""

from typing import Any

import pytest

from factory.evaluation.delivery import choose_delivery

LOSS = {"name": "loss", "what": "", "higher_is_better": False, "binary": False}


def choose(
    verdict: str, deliver: str = "best", deployable: Any = ("linear", "prompted"), **means: float
) -> tuple[str, str]:
    """The contender and the reason; the deciding metric is accuracy, and its negative is the metric loss."""
    score = {
        "metrics": [{**LOSS, "name": "accuracy", "higher_is_better": True}, LOSS],
        "contenders": {name: {"accuracy": {"mean": mean}, "loss": {"mean": -mean}} for name, mean in means.items()},
    }
    chosen = {
        choose_delivery(deliver, "tuned", {"verdict": verdict, "metric": metric}, score, deployable)
        for metric in ("accuracy", "loss")
    }
    (by_accuracy,) = {each.contender for each in chosen}
    return by_accuracy, next(each.reason for each in chosen if each.metric == "accuracy")


def test_what_ships_is_delivered() -> None:
    assert choose("SHIP", tuned=0.9, linear=0.8) == ("tuned", "the gate lets it ship")


@pytest.mark.parametrize(("verdict", "expected"), [
    ("NO_SHIP", "linear"), ("PROMPTING_IS_ENOUGH", "linear"), ("INSUFFICIENT_EVIDENCE", "tuned"),
])
def test_tuned_competes_only_while_the_verdict_is_open(verdict: str, expected: str) -> None:
    assert choose(verdict, tuned=0.9, linear=0.8, prompted=0.7)[0] == expected


def test_of_equals_the_simpler_one_is_delivered() -> None:
    assert choose("INSUFFICIENT_EVIDENCE", tuned=0.9, linear=0.9, knn=0.9)[0] == "linear"


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
