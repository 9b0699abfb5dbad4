"""The gate's words on a version that is served: better, worse, or not shown to be either; and the rows it has seen."""

from pathlib import Path
from typing import Any

import pytest
from test_gate_rules import RIGHT, scored

from factory.api import Provenance, Row
from factory.data.leakage import LeakageCriteria
from factory.evaluation.gate import GateEvidence, decide_verdict
from factory.evaluation.incumbent_facts import IncumbentFacts, choose_judged_rows
from factory.evaluation.score_table import ScoreTable
from factory.spec.fields import Gate
from factory.stages.incumbent import find_seen_rows
from factory.views import formatting


def judged(
    tuned: int, served: int, seen: dict[str, str] | None, gate: Gate | None = None, **groups: str
) -> dict[str, Any]:
    """A verdict on a hundred rows, of which so many are right, beside a baseline that is right on twenty."""
    scores = {"tuned": scored(tuned), "incumbent": scored(served), "untuned": scored(20)}
    rows = {name: [{**row, "group": groups.get(row["id"], "")} for row in lines] for name, lines in scores.items()}
    table = ScoreTable(rows, metrics={"right": RIGHT})
    facts = {"specialist": "intents", "version": 3, "rows": 100, "seen": seen, "same_test": False}
    incumbent = IncumbentFacts.from_json("incumbent", facts, table)
    return decide_verdict(table, RIGHT, gate or Gate(), GateEvidence(incumbents=[incumbent]))


def compared(found: dict[str, Any]) -> dict[str, Any]:
    (comparison,) = (each for each in found["comparisons"] if each["baseline"] == "incumbent")
    return comparison


@pytest.mark.parametrize(("tuned", "served", "margin", "verdict", "words"), [
    (80, 60, 0.0, "SHIP", "tuned is better than what is served, intents@3"),
    (60, 80, 0.0, "NO_SHIP", "tuned is worse than what is served, intents@3: keep it"),
    (70, 68, 0.0, "INSUFFICIENT_EVIDENCE", "tuned is not shown to be better than what is served, intents@3: keep it"),
    (80, 80, 0.0, "INSUFFICIENT_EVIDENCE", "tuned is not shown to be better than what is served, intents@3: keep it"),
    (80, 70, 0.3, "NO_SHIP", "tuned is not better by the margin than what is served, intents@3: keep it"),
])
def test_a_refresh_is_better_worse_or_neither(
    tuned: int, served: int, margin: float, verdict: str, words: str
) -> None:
    found = judged(tuned, served, {}, Gate(margin=margin))
    assert (found["verdict"], found["incumbents"][0]["finding"]) == (verdict, words)
    assert any(line.startswith(f"{words}; tuned ") for line in found["reasons"])
    assert "the incumbent, intents@3, has seen none of these 100 test rows in its training" in found["reasons"]
    sentence = formatting.describe_verdict(found, "classifier")
    assert f"T{words[1:]}." in sentence and "has seen" not in sentence


def test_only_rows_that_it_has_not_seen_are_compared() -> None:
    # It knows the first forty by heart, and is right on ten of the others, on which tuned is right in forty.
    seen = {f"r{i:03}": "exact" if i < 30 else "group" for i in range(40)}
    found = judged(80, 50, seen)
    assert (compared(found)["difference"], compared(found)["n"]) == (0.5, 60)
    told = "has seen 40 of these 100 test rows in its training, 10 of them by rows of their group: it is compared on"
    assert any(f"the incumbent, intents@3, {told} the other 60" == line for line in found["reasons"])
    assert f"The incumbent, intents@3, {told} the other 60." in formatting.describe_verdict(found, "classifier")
    (told,) = found["incumbents"]
    assert (told["seen"], told["judged"], told["state"]) == (40, 60, "met")
    untuned = next(each for each in found["comparisons"] if each["baseline"] == "untuned")
    assert (untuned["n"], untuned["difference"]) == (100, 0.6)


@pytest.mark.parametrize("seen", [None, {f"r{i:03}": "near" for i in range(97)}])
def test_what_it_may_know_by_heart_proves_nothing_against_a_refresh_and_all_for_it(seen: Any) -> None:
    lost = judged(60, 80, seen)
    assert (lost["verdict"], compared(lost)["n"]) == ("INSUFFICIENT_EVIDENCE", 100)
    assert compared(lost)["high"] < 0 and lost["settle"] is None
    assert lost["incumbents"][0]["state"] == "open"
    assert judged(80, 60, seen)["verdict"] == "SHIP"
    told = "can not be known" if seen is None else "it is compared on all of them, which favours it"
    assert any(told in line for line in lost["reasons"])


def test_four_groups_that_it_has_not_seen_are_too_few() -> None:
    groups = {f"r{i:03}": f"g{i // 10}" for i in range(100)}
    seen = {f"r{i:03}": "group" for i in range(60)}
    assert compared(judged(90, 30, seen, **groups))["n"] == 100
    assert compared(judged(90, 30, dict(list(seen.items())[:50]), **groups))["n"] == 50


def test_a_total_is_one_number_of_all_rows_whatever_was_seen() -> None:
    rows = {name: scored(50) for name in ("tuned", "incumbent")}
    assert choose_judged_rows({"r000": "exact"}, ScoreTable(rows)) == tuple(f"r{i:03}" for i in range(1, 100))
    assert choose_judged_rows({"r000": "exact"}, ScoreTable(rows, total="macro_f1")) is None
    facts = IncumbentFacts("incumbent", "intents@3", 100, {"r000": "exact"})
    assert facts.is_favoured and facts.describe_seen().endswith("compared on all of them, which favours it")


def row(name: str, text: str, group: str = "", *parents: str) -> Row:
    return Row(name, {"text": text}, Provenance("here", parents=parents), group=group)


def test_a_test_row_is_seen_as_a_copy_or_by_its_group_or_its_children() -> None:
    trained = [
        row("a", "Where is my new card?"), row("b", "the transfer that I made on Monday has not arrived yet", "ann"),
        row("made-1", "something a teacher wrote", "", "t5"),
    ]
    rows = [
        row("t1", "where is my new card"), row("t2", "the transfer that I made on Monday has not arrived yet.", "bob"),
        row("t3", "an unlike text of the same person", "ann"), row("t4", "nothing of the kind"), row("t5", "a parent"),
        row("t6", "the transfer that I made on Mondays has not arrived yet", "ann"),
    ]
    seen = find_seen_rows(rows, trained, LeakageCriteria(("text",), 0.8))
    assert seen == {"t1": "exact", "t2": "exact", "t3": "group", "t5": "group", "t6": "near"}


def test_a_version_needs_a_baseline_beside_it_and_decides_no_further_rule(tmp_path: Path) -> None:
    from classify_parts import project

    from factory.errors import SpecError
    from factory.registry.registry import Registry
    from factory.spec.layers import resolve_spec

    spec = project(tmp_path)

    def problem(*overrides: str) -> str:
        with pytest.raises(SpecError) as caught:
            resolve_spec(spec, overrides=overrides, registry=Registry.load())
        return str(caught.value)

    said = problem("contenders=[tuned, incumbent]")
    assert "besides 'incumbent', which a first build does not have; add one, such as 'untuned'" in said
    ring = "contenders=[tuned, majority, incumbent]"
    assert "no contender 'incumbent' to match in a first build, which has no version yet;" in problem(
        ring, "gate.match={contender: incumbent, within: 0.1}"
    )
    guard = "gate.guards=[{metric: brier, within: 0.1, against: incumbent}]"
    assert "no contender 'incumbent' to hold tuned against" in problem(ring, guard)
    twice = "contenders=[tuned, majority, {kind: incumbent, specialist: other@canary, alias: served}]"
    assert "give the alias either in `specialist`, as NAME@ALIAS, or in `alias`" in problem(twice)
