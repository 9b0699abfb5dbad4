"""A contender to match: as good as it, at a share of what its answers cost and take."""

from typing import Any

import pytest
from places import ROOT
from test_gate_rules import RIGHT, scored

from factory.evaluation.gate import GateEvidence, decide_verdict
from factory.evaluation.match import AnswerExpense
from factory.spec.fields import Gate, Match
from factory.views import formatting

ENDPOINT = {"endpoint": "https://one", "cost": 1.5, "calls": 300, "seconds_median": 0.8}
"""What a contender behind an endpoint records: 0.005 and 0.8 s an answer."""
LOCAL = {"rows": 100, "facts": {}, "seconds": 36.0}
"""0.36 s an answer, which at 0.5 an hour are 0.00005."""


def matched(frontier: int, tuned: dict[str, Any], other: dict[str, Any], **match: Any) -> dict[str, Any]:
    wanted = Match(contender="frontier", within=0.1, **match)
    expenses = {
        name: AnswerExpense.from_answers(answers, wanted.hourly)
        for name, answers in (("tuned", tuned), ("frontier", other))
    }
    scores = {"tuned": scored(80), "untuned": scored(40), "frontier": scored(frontier)}
    return decide_verdict(scores, RIGHT, Gate(match=wanted), GateEvidence(("frontier",), expenses=expenses))


def test_as_good_at_a_share_of_the_cost_ships_and_says_so() -> None:
    found = matched(81, LOCAL, {"rows": 100, "facts": ENDPOINT}, cost=0.1, latency=0.5, hourly=0.5)
    (rule,) = found["rules"]
    assert (found["verdict"], rule["state"], rule["difference"]) == ("SHIP", "met", -0.01)
    assert rule["cost"] == pytest.approx(0.36 * 0.5 / 3600 / 0.005) and rule["latency"] == pytest.approx(0.45)
    assert [c["baseline"] for c in found["comparisons"]] == ["untuned"] == [found["best_baseline"]]
    sentence = formatting.describe_verdict(found, "classifier")
    assert "Tuned is as good as frontier, of which a fall of 0.1 is excluded (difference -0.010 right, " in sentence
    assert "an answer has 0.01 of its cost, at most 0.1 (5e-05 to 0.005)" in sentence
    assert "an answer has 0.45 of its latency, at most 0.5 (0.36 s to 0.8 s)" in sentence
    # Without the rule frontier is one to beat, and tuned does not.
    scores = {"tuned": scored(80), "untuned": scored(40), "frontier": scored(81)}
    assert decide_verdict(scores, RIGHT, Gate(), GateEvidence(("frontier",)))["verdict"] == "INSUFFICIENT_EVIDENCE"


def test_worse_dearer_or_slower_does_not_ship() -> None:
    frontier = {"rows": 100, "facts": ENDPOINT}
    for good, bounds in ((100, {}), (80, {"cost": 0.001, "hourly": 0.5}), (80, {"latency": 0.1})):
        assert matched(good, LOCAL, frontier, **bounds)["verdict"] == "NO_SHIP"
    found = matched(88, LOCAL, frontier)
    assert (found["verdict"], found["rules"][0]["state"]) == ("INSUFFICIENT_EVIDENCE", "open")
    assert found["unproven"][0].startswith("tuned may be worse than frontier by 0.1 (difference -0.080 right, ")


def test_a_contender_without_a_price_is_named_with_what_to_do() -> None:
    free = {"rows": 100, "facts": {**ENDPOINT, "cost": 0.0}}
    found = matched(80, LOCAL, free, cost=0.1, hourly=0.5)
    assert found["verdict"] == "INSUFFICIENT_EVIDENCE"
    assert found["unproven"][0].endswith("frontier has no cost recorded: set price_in and price_out of its endpoint")
    found = matched(80, LOCAL, {"rows": 100, "facts": ENDPOINT}, cost=0.1)
    assert found["unproven"][0].endswith(
        "tuned has no cost recorded: set gate.match.hourly, the price of an hour of its machine"
    )


def test_a_shortfall_on_the_edge_is_matched_as_seldom_as_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gate_rules_simulation as simulation

    (setting,) = [setting for setting in simulation.list_rule_settings() if setting.name.startswith("match, 100")]
    assert max(simulation.simulate_rule(setting, 400, 500)) <= simulation.compute_limit(400)
