"""The rules of advice as a table, and one advice from a spec to its verdict."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from toy_project import SPEC, resolved

from factory.advise import FINE_TUNE, GET_MORE_DATA, PROMPT, RETRIEVE, ContenderEstimate, Survey, advise
from factory.cli import run_command_line as factory
from factory.plan.compiler import compile_advice_plan
from factory.store.outputs import Store
from factory.store.paths import find_home

WEAK, GOOD = ContenderEstimate("tfidf", "baseline", 0.60, 0.50, 0.70, 80), ContenderEstimate(
    "prompted", "prompted", 0.97, 0.90, 0.99, 80
)
PLAIN = Survey(rows=2000, validation=200, metric="accuracy", change="never", legs=(WEAK,))
MADE = replace(PLAIN, made=0.8)


def teacher(mean: float) -> ContenderEstimate:
    return ContenderEstimate("teacher", "teacher", mean, mean - 0.1, mean + 0.1, 80)


@pytest.mark.parametrize(
    ("found", "verdict", "why"),
    [
        (PLAIN, FINE_TUNE, "2000 training rows are enough"),
        (replace(PLAIN, change="daily"), RETRIEVE, "change daily: a fine-tune is out of date before it ships"),
        (replace(PLAIN, change="weekly", rows=20), RETRIEVE, "change weekly"),
        (replace(PLAIN, change="monthly"), FINE_TUNE, "enough"),
        (
            replace(PLAIN, legs=(WEAK, GOOD)), PROMPT,
            "prompting is close to the best possible score: prompted with accuracy"
        ),
        (replace(PLAIN, rows=20, legs=(GOOD,)), PROMPT, "prompting"),
        (replace(PLAIN, legs=(replace(GOOD, name="copy", sort="baseline"),)), PROMPT, "which trains no model"),
        (replace(PLAIN, rows=99), GET_MORE_DATA, "99 training rows are fewer than 100: use them as examples"),
        (replace(PLAIN, rows=100), FINE_TUNE, "there is room"),
        (replace(PLAIN, rows=300, legs=(replace(WEAK, mean=0.93),)), GET_MORE_DATA, "little room for improvement"),
        (replace(PLAIN, rows=300, legs=()), GET_MORE_DATA, "no contender could be measured on the 200 validation rows"),
        (replace(PLAIN, rows=500, legs=()), FINE_TUNE, "500 training rows are enough"),
        (replace(PLAIN, labels=10, thin=3, rarest=1), GET_MORE_DATA, "3 of 10 labels have fewer than 8 training rows"),
        (replace(PLAIN, labels=10, thin=2, rarest=1), FINE_TUNE, "enough"),
        (replace(MADE, legs=(WEAK, teacher(0.55))), GET_MORE_DATA, "such rows teach nothing"),
        (replace(MADE, legs=(GOOD, teacher(0.96))), PROMPT, "prompting"),
        (replace(MADE, legs=(WEAK, teacher(0.64))), PROMPT, "the teacher that made the rows scores 0.640"),
        (replace(MADE, legs=(WEAK, teacher(0.90))), FINE_TUNE, "enough"),
        (replace(PLAIN, legs=(WEAK, teacher(0.55))), FINE_TUNE, "enough"),
    ],
)
def test_the_first_rule_that_holds_decides(found: Survey, verdict: str, why: str) -> None:
    advice = advise(found)
    assert advice.verdict == verdict
    assert why in advice.reasons[0]


def test_a_metric_that_has_no_best_value_is_no_share() -> None:
    errors = replace(PLAIN, higher_is_better=False, legs=(replace(WEAK, mean=0.02), replace(GOOD, mean=0.01)))
    advice = advise(errors)
    assert advice.verdict == FINE_TUNE
    assert "must beat prompted" in advice.reasons[1]
    assert advise(replace(PLAIN, legs=(replace(WEAK, mean=17.0),))).verdict == FINE_TUNE


def test_what_is_not_known_is_asked_for() -> None:
    untried = ContenderEstimate("knn", "baseline", why="no rows")
    told = " ".join(advise(replace(PLAIN, change="", legs=(replace(WEAK, n=20), untried))).cautions)
    assert "add data.facts: {change: never|yearly|monthly|weekly|daily}" in told
    assert "20 validation rows are few" in told and "knn was not tried: no rows" in told
    assert "no contender of the spec is prompt-only" in told
    slow = advise(replace(PLAIN, change="yearly", made=0.6, input_words=(900, 2000)))
    assert len(slow.cautions) == 4 and slow.cautions[0] == "the facts change yearly: plan to rebuild as often"


def test_a_survey_comes_back_from_its_file() -> None:
    found = replace(MADE, legs=(WEAK, GOOD), input_words=(9, 20), labels=3)
    assert Survey.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.fixture
def spec(toy: Path) -> Path:
    (toy / "toy.yaml").write_text(SPEC.replace("validation: 10", "validation: 40") + "  facts: {change: never}\n")
    return toy / "toy.yaml"


def test_an_advice_tries_what_exists_on_validation_rows_alone(spec: Path, capsys) -> None:
    assert factory(["advise", str(spec), "--rows", "30", "--json"]) == 0
    advice = json.loads(capsys.readouterr().out)
    assert (advice["verdict"], advice["survey"]["rows"], advice["survey"]["labels"]) == (GET_MORE_DATA, 60, 3)
    leg = advice["survey"]["legs"][0]
    assert (leg["name"], leg["sort"], leg["n"]) == ("commonest", "baseline", 20)
    assert leg["low"] < leg["mean"] < leg["high"]
    assert advice["costs"]["build"]["most"] > 0 and "commonest" in advice["costs"]["prompting"]
    plan = compile_advice_plan(resolved(spec.parent)[0], 30)
    answers = Store(find_home()).locate_output(
        "baseline_trial", plan["baseline_trial[commonest]"].key
    ).output / "answers.jsonl"
    asked = {json.loads(line)["id"] for line in answers.read_text().splitlines()}
    frozen = Store(find_home()).locate_output("freeze", plan["freeze"].key).output
    test, validation = (
        {json.loads(line)["id"] for line in (frozen / f"{part}.jsonl").read_text().splitlines()}
        for part in ("test", "validation")
    )
    assert len(asked) == 20 and asked <= validation and not asked & test


def test_an_advice_is_cached_and_changes_only_what_a_build_would_not_share(spec: Path, capsys) -> None:
    assert factory(["advise", str(spec)]) == 0
    said = capsys.readouterr()
    assert "GET_MORE_DATA" in said.out and "baseline_trial[commonest]: done" in said.err
    assert "a build would take about" in said.out
    assert factory(["advise", str(spec)]) == 0
    assert capsys.readouterr().err == ""
    assert factory(["advise", str(spec), "--set", "data.facts.change=daily"]) == 0
    again = capsys.readouterr()
    assert "RETRIEVE" in again.out and "baseline_trial[commonest]: cached" in again.err


def test_an_advice_loads_no_torch(spec: Path) -> None:
    from house_parts import HEAVY, loaded_after

    loaded = loaded_after("from factory.cli import main; main()", "advise", str(spec), "--plain")
    assert not loaded & set(HEAVY)
