"""The rules of the gate beside its comparisons: floor, target and guards, with the right intervals."""

from typing import Any

import pytest
from places import ROOT
from statsmodels.stats.proportion import proportion_confint

from factory.api import Metric
from factory.errors import InputError
from factory.evaluation.gate import GateEvidence, decide_verdict
from factory.evaluation.rules import choose_holm_confidence, find_slice_problem
from factory.evaluation.score_table import ScoreTable
from factory.evaluation.statistics import adjust_p_values
from factory.spec.fields import Gate, Guard
from factory.views import formatting

RIGHT = Metric("right", "whether it is right", binary=True)
ERROR = Metric("error", "how far off it is", higher_is_better=False)
KIND = Metric("kind", "how kind it is")


def scored(right: int, n: int = 100, metric: str = "right", **more: list[float]) -> list[dict[str, Any]]:
    """The first rows are right; `more` are values of other metrics."""
    return [
        {"id": f"r{i:03}", "group": "", "values": {metric: float(i < right), **{k: v[i] for k, v in more.items()}}}
        for i in range(n)
    ]


def judged(gate: Gate, asked: tuple[str, ...] = (), **right: int) -> dict[str, Any]:
    return decide_verdict({name: scored(n) for name, n in right.items()}, RIGHT, gate, GateEvidence(asked))


@pytest.mark.parametrize(("right", "word", "state"), [
    (75, "SHIP", "met"), (60, "INSUFFICIENT_EVIDENCE", "open"), (45, "NO_SHIP", "failed"),
])
def test_a_floor_is_reached_by_the_whole_interval(right: int, word: str, state: str) -> None:
    found = judged(Gate(floor=0.6), tuned=right, untuned=20)
    (rule,) = found["rules"]
    low, high = proportion_confint(right, 100, method="beta")
    assert (rule["low"], rule["high"]) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))
    assert (found["verdict"], rule["state"]) == (word, state) and rule["text"] in found["reasons"]
    assert (found["tuned"]["low"], found["tuned"]["high"]) == (rule["low"], rule["high"])
    assert judged(Gate(), tuned=right, untuned=20)["verdict"] == "SHIP"


def test_the_headline_says_the_level_first() -> None:
    def headline(**gate: Any) -> str:
        return formatting.describe_verdict(judged(Gate(**gate), tuned=45, untuned=20), "classifier")

    assert headline().startswith("right 0.450; nobody said what is good enough (gate.floor). The tuned classifier ")
    assert headline(floor=0.2).startswith("Tuned reaches the floor of 0.2: right 0.450 (95 % interval 0.350 to 0.553, ")
    refused = headline(floor=0.6)
    assert refused.startswith("Tuned does not reach the floor of 0.6: right 0.450 (95 % interval 0.350 to 0.553, n = ")
    assert "The tuned classifier answers these 100 test rows better than untuned: +0.250" in refused
    assert headline(floor=0.45) == (
        "The evidence is too thin: tuned is not shown to reach the floor of 0.45: right 0.450 (95 % interval 0.350 to "
        "0.553, n = 100)."
    )


def test_where_lower_is_better_the_floor_is_an_upper_bound() -> None:
    scores = {name: scored(0, metric="error", error=[x + i % 7 / 100 for i in range(100)])
              for name, x in (("tuned", 0.2), ("untuned", 0.4))}
    words = {floor: decide_verdict(scores, ERROR, Gate(floor=floor))["verdict"] for floor in (0.3, 0.23, 0.1)}
    assert words == {0.3: "SHIP", 0.23: "INSUFFICIENT_EVIDENCE", 0.1: "NO_SHIP"}


def test_prompting_is_enough_where_it_reaches_the_target() -> None:
    found = judged(Gate(target=0.8), ("prompted",), tuned=97, untuned=20, prompted=90)
    assert found["verdict"] == "PROMPTING_IS_ENOUGH" and found["rules"][0]["reached"] == ["prompted"]
    assert found["reasons"][0] == (
        "prompting alone reaches the target of 0.8: prompted right 0.900 (95 % interval 0.824 to 0.951, n = 100)"
    )
    sentence = formatting.describe_verdict(found, "classifier")
    assert sentence.index("Prompting alone reaches") < sentence.index("The tuned classifier answers these 100 test ")
    assert judged(Gate(target=0.85), ("prompted",), tuned=97, untuned=20, prompted=90)["verdict"] == "SHIP"
    # Three that prompt share the error: 0.81 would be reached by one alone.
    lone, three = {"one": 90}, {"one": 90, "two": 20, "three": 20}
    words = [judged(Gate(target=0.82), tuple(p), tuned=99, untuned=20, **p)["verdict"] for p in (lone, three)]
    assert words == ["PROMPTING_IS_ENOUGH", "SHIP"]


def guarded(guards: list[Guard], kind: float, slices: bool = False, **more: list[dict[str, Any]]) -> dict[str, Any]:
    """Tuned is right more often, and its kindness differs from that of the others by about `kind` with some noise."""
    noise = [((i * 37) % 100 - 49.5) / 500 for i in range(100)]
    rows = {
        "tuned": scored(90, kind=[0.5 + kind + x for x in noise]), "untuned": scored(20, kind=[0.5] * 100),
        "bm25": scored(10, kind=[0.9] * 100), **more,
    }
    parts = {f"r{i:03}": {"tongue": "de" if i < 40 else "en"} for i in range(100)} if slices else {}
    table = ScoreTable(rows, parts, {"right": RIGHT, "kind": KIND})
    return decide_verdict(table, RIGHT, Gate(guards=guards))


@pytest.mark.parametrize(("kind", "word", "state"), [
    (0.0, "SHIP", "met"), (-0.02, "INSUFFICIENT_EVIDENCE", "open"), (-0.1, "NO_SHIP", "failed"),
])
def test_a_guarded_metric_may_not_fall(kind: float, word: str, state: str) -> None:
    found = guarded([Guard(metric="kind", within=0.02)], kind)
    (rule,) = found["rules"]
    assert (found["verdict"], rule["state"], rule["against"]) == (word, state, "untuned")
    assert (rule["low"] > -0.02, rule["high"] < -0.02) == (state == "met", state == "failed")
    assert (rule["p"] < 0.05) == (state != "open") and rule["text"] in found["reasons"]
    assert guarded([], kind)["verdict"] == "SHIP"


def test_a_guard_is_against_whom_it_names_and_may_name_one_that_is_only_shown() -> None:
    assert guarded([Guard(metric="kind", within=0.02, against="bm25")], 0.0)["verdict"] == "NO_SHIP"
    rows = {"tuned": scored(90), "bm25": scored(20), "knn": scored(10), "free": scored(95)}
    table = ScoreTable(rows, metrics={"right": RIGHT})
    evidence = GateEvidence(shown=("free",))
    found = decide_verdict(table, RIGHT, Gate(guards=[Guard(metric="right", within=0.5)]), evidence)
    assert found["rules"][0]["against"] == "bm25"  # without the untuned base, the best baseline
    found = decide_verdict(table, RIGHT, Gate(guards=[Guard(within=0.02, slice="", against="free")]), evidence)
    assert found["rules"][0]["against"] == "free" and len(found["comparisons"]) == 2
    assert found["rules"][0]["difference"] == -0.05


def test_a_protected_slice_is_judged_by_its_rows_alone() -> None:
    found = guarded([Guard(slice="tongue=en", within=0.05), Guard(slice="tongue=de", within=0.05)], 0.0, slices=True)
    english, german = found["rules"]
    # Of 60 English rows 50 more are right; all 20 that the base gets right are German, and no row is lost.
    assert (english["n"], german["n"]) == (60, 40) and found["verdict"] == "SHIP"
    assert english["difference"] == pytest.approx(50 / 60, abs=1e-6)
    with pytest.raises(InputError, match=r"no test row is of the slice 'tongue=fr'; known: tongue=de, tongue=en"):
        guarded([Guard(slice="tongue=fr", within=0.02)], 0.0, slices=True)


def test_a_slice_of_few_groups_is_refused_before_training() -> None:
    slices, groups = [{"tongue": "de"}] * 30 + [{"tongue": "en"}], [f"g{i % 4}" for i in range(30)]
    problem = find_slice_problem("tongue=de", slices, [*groups, "x"])
    assert problem.startswith("gate.guards: the test rows of the slice 'tongue=de' are as good as 4.0 groups of")
    assert find_slice_problem("tongue=de", slices, [f"r{i}" for i in range(31)]) == ""
    assert "known: tongue=de, tongue=en" in find_slice_problem("tounge=de", slices, [*groups, "x"])


def test_holms_procedure_as_one_confidence_for_all() -> None:
    for p in ([0.001, 0.02, 0.04], [0.03, 0.001, 0.2], [0.01, 0.012, 0.03], [0.2, 0.3], [0.04]):
        confidence = choose_holm_confidence(p, 0.95)
        assert [each < 1 - confidence for each in p] == [each < 0.05 for each in adjust_p_values(p)]
    assert choose_holm_confidence([], 0.95) == 0.95


EDGE = ("floor, binary, 20 rows, 0.97 right", "floor, binary, 100 rows, 0.3 right", "floor, beta of 8 and 2, 20 rows",
        "floor, 12 uneven groups", "target, 3 prompted, 100 rows", "guards, 3 on the edge, 100 rows each",
        "guards, 1 of 3 on the edge, 100 rows each", "guards, 3 on the edge, binary, 200 rows each")


@pytest.mark.parametrize("name", EDGE)
def test_a_rule_on_its_edge_errs_as_seldom_as_it_says(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gate_rules_simulation as simulation

    (setting,) = [setting for setting in simulation.list_rule_settings() if setting.name == name]
    assert max(simulation.simulate_rule(setting, 1000, 500)) <= simulation.compute_limit(1000)
