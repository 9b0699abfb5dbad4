"""A training course: steps that train one artifact in turn, and what each of them was worth."""

import json
from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
from toy_project import resolved
from toy_project import rows as make_rows

from factory.data.rows import read_json
from factory.errors import SpecError
from factory.events import Measured
from factory.plan.compiler import compile_plan
from factory.store.chosen_settings import read_chosen_settings
from factory.store.journal import list_journals

OTHERS = "rows: {sources: [{kind: labelled, file: more.jsonl}]}"
TWO = f"objective=[{{kind: counting, forget: 0.6, {OTHERS}}}, counting]"
"""First on rows of its own, of which it forgets most, then on those of the spec."""
FOUR = "adapter.rank=4"
SAME = "objective=[counting, {kind: counting, train: {epochs: 1}}]"


@pytest.fixture
def spec(toy: Path) -> Path:
    """The toy, and rows for a first step: those of the spec, among them the frozen ones, and some others."""
    others = [{**row, "group": f"other {row['group']}"} for row in make_rows(40, seed=9)]
    lines = [*(toy / "rows.jsonl").read_text().splitlines(), *map(json.dumps, others)]
    (toy / "more.jsonl").write_text("\n".join(lines) + "\n")
    return toy / "toy.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def build(spec: Path, home: Path, *settings: str) -> dict[str, Any]:
    """What `show --json` says of a build with these settings."""
    code, said = builds.build(spec, home, *(word for one in settings for word in ("--set", one)))
    assert code in (0, 2, 3), said
    shown: dict[str, Any] = json.loads(builds.ask_factory("show", "--json"))
    return shown


def output(shown: dict[str, Any], stage: str) -> Path:
    (key,) = (each["key"] for each in shown["stages"] if each["name"] == stage)
    return Path(shown["bundle"]).parents[2] / stage.partition("[")[0] / key / "output"


def plan_keys(spec: Path, *settings: str) -> dict[str, str]:
    return {stage.name: stage.key for stage in compile_plan(resolved(spec.parent, *settings)[0]).stages}


def test_a_step_has_the_key_of_a_spec_with_this_step_alone(spec: Path) -> None:
    plain, one, two = (plan_keys(spec, *more) for more in ((), ("objective=[counting]",), (SAME,)))
    assert one["train[1]"] == plain["train"] and "train" not in one
    changed = {name for name in plain if name in one and one[name] != plain[name]}
    assert changed == {"gate", "bundle", "certify"}, "they say that it is a step; all else is what a block makes"
    assert two["train[1]"] == plain["train"] and two["train[2]"] not in (two["train[1]"], plain["train"])
    assert two["answer[tuned step 1]"] == plain["answer[tuned]"] != two["answer[tuned]"]
    other = plan_keys(spec, "objective=[counting, {kind: counting, train: {epochs: 3}}]")
    changed = {name for name in two if other[name] != two[name]}
    assert changed == {"train[2]", "answer[tuned]", "look", "score", "gate", "bundle", "certify"}


def test_a_rank_that_is_left_to_the_rows_is_chosen_by_the_first_step_for_all(spec: Path, home: Path) -> None:
    auto = "adapter.rank=auto"
    plan, same, given = (
        compile_plan(resolved(spec.parent, *settings)[0]) for settings in ((TWO, auto), (SAME, auto), (TWO, FOUR))
    )
    assert plan["settings[2]"].inputs["before"] == "settings[1]" and "before" not in plan["settings[1]"].inputs
    assert all("before" not in stage.inputs for each in (same, given) for stage in each.stages)
    shown = build(spec, home, TWO, auto)
    first, second = (read_chosen_settings(output(shown, f"settings[{number}]")) for number in (1, 2))
    assert first["chosen"]["adapter"] == second["chosen"]["adapter"] == {"rank": 32}
    assert first["reasons"]["adapter.rank"].startswith("no completions are learnt")
    assert second["reasons"]["adapter.rank"] == "the step before trains the adapter with it"


def test_steps_are_trained_in_turn_and_every_page_says_what_each_was_worth(
    spec: Path, home: Path, tmp_path: Path
) -> None:
    shown = build(spec, home, TWO, "contenders=[tuned, untuned, commonest]")
    names = [stage["name"] for stage in shown["stages"]]
    assert [name for name in names if "[1]" in name or "[2]" in name] == [
        "gather[1]", "prepare[1]", "freeze[1]", "synthesize[1]", "curate[1]", "settings[1]", "settings[2]",
        "preflight[1]", "preflight[2]", "train[1]", "train[2]",
    ]
    first, second = ((output(shown, f"train[{n}]") / "artifact" / "words.json").read_bytes() for n in (1, 2))
    assert {*json.loads(first)} < {*json.loads(second)}, "the second step goes on from what the first one counted"
    assert (Path(shown["bundle"]) / "words.json").read_bytes() == second

    one, two = shown["gate"]["steps"]
    assert [one["contender"], two["contender"], one["before"], two["before"]] == [
        "tuned step 1", "tuned", "untuned", "tuned step 1"
    ]
    means = {name: levels["accuracy"]["mean"] for name, levels in shown["contenders"].items()}
    assert two["difference"] == pytest.approx(means["tuned"] - means["tuned step 1"], abs=1e-6)
    assert one["difference"] == pytest.approx(means["tuned step 1"] - means["untuned"], abs=1e-6)
    assert two["low"] <= two["difference"] <= two["high"] and two["n"] == 60
    assert "tuned step 1" not in [each["baseline"] for each in shown["gate"]["comparisons"]], "it is only shown"

    report = tmp_path / "page.html"
    builds.ask_factory("report", "latest", "--out", str(report))
    pages = [report.read_text(), builds.ask_factory("show"), builds.ask_factory("tui", "--once", "verdict")]
    for page in (*pages, (Path(shown["bundle"]) / "README.md").read_text()):
        assert "1: counting" in page and "2: counting" in page, page
    assert all(f"Training loss of train[{number}] by step" in pages[0] for number in (1, 2)), "each has its curve"
    manifest = read_json(Path(shown["bundle"]) / "factory" / "manifest.json")
    assert [step["objective"] for step in manifest["steps"]] == ["counting", "counting"]
    assert [step["training"]["steps"] for step in manifest["steps"]] == [
        read_json(output(shown, f"train[{number}]") / "train.json")["steps"] for number in (1, 2)
    ]


def test_an_earlier_step_is_a_baseline_if_the_spec_says_so(spec: Path, home: Path) -> None:
    shown = build(spec, home, SAME, "gate.steps=[1]")
    gain = next(each for each in shown["gate"]["comparisons"] if each["baseline"] == "tuned step 1")
    assert gain["difference"] == shown["gate"]["steps"][1]["difference"]
    assert shown["gate"]["verdict"] != "SHIP", "the second step reads the same rows again"


def test_rows_of_a_step_are_checked_against_the_frozen_rows(spec: Path, home: Path) -> None:
    shown = build(spec, home, TWO)
    proof = read_json(output(shown, "curate[1]") / "curate.json")["leakage"]
    assert proof["dropped"]["group"] + proof["dropped"]["exact"] >= 70, "the frozen rows are among its sources"
    assert proof["test_groups_in_training"] == proof["exact"] == proof["near"] == 0
    in_bundle = read_json(Path(shown["bundle"]) / "factory" / "leakage.json")
    assert in_bundle["steps"] == {"1": proof} and in_bundle["proof"] != proof
    frozen = {json.loads(line)["columns"]["text"] for line in (output(shown, "freeze") / "test.jsonl").open()}
    trained = [json.loads(line)["columns"]["text"] for line in (output(shown, "curate[1]") / "train.jsonl").open()]
    assert len(frozen) == 60 and len(trained) > 60 and not frozen & {*trained}


def test_rows_of_a_step_that_leak_keep_the_specialist_from_shipping(spec: Path) -> None:
    plan = compile_plan(resolved(spec.parent, TWO)[0])
    assert plan["gate"].inputs["curate[1]"] == "curate[1]" and plan["train[1]"].inputs["curate"] == "curate[1]"
    assert plan["train[2]"].inputs["curate"] == "curate"
    assert {*plan["train[1]"].after} == {"preflight[1]", "preflight[2]"}, "all rows are checked before a step trains"


def read_counts(home: Path, stage: str) -> list[int]:
    return [event.step for event in builds.events(home) if isinstance(event, Measured) and event.stage == stage]


def test_a_build_that_is_killed_in_its_second_step_goes_on_there(spec: Path, home: Path, tmp_path: Path) -> None:
    slow = ("--set", "objective=[counting, {kind: counting, pause: 0.05}]")
    process = builds.start(spec, home, *slow)
    builds.until(lambda: list_journals(home) and len(read_counts(home, "train[2]")) > 5)
    process.kill()
    builds.ended(process)
    builds.until(lambda: not builds.living(home))
    before = read_counts(home, "train[2]")
    assert builds.build(spec, home, *slow)[0] in (0, 2, 3)
    assert builds.ran(home)[0] == "train[2]"
    assert before[-1] <= read_counts(home, "train[2]")[0] <= before[-1] + 3
    assert builds.build(spec, tmp_path / "undisturbed", *slow)[0] in (0, 2, 3)
    assert builds.digest(home) == builds.digest(tmp_path / "undisturbed")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((SAME, "train.seeds=2"), "train.seeds=2: several seeds need a single objective, not a list of steps"),
        (("objective=[counting, {kind: counting, rows: {source: []}}]",),
         "objective[1].rows.source: unknown field; did you mean 'sources'?"),
        (("objective=[{kind: counting, train: {epoch: 2}}]",),
         "objective[0].train.epoch: unknown field; did you mean 'epochs'?"),
        (("objective=[{kind: counting, rows: {sources: [{kind: labelled, file: gone.jsonl}]}}]",),
         "objective[0].rows.sources[0].file: no such file or folder"),
        (("objective=[{kind: counting, rows: {curate: [nonsense]}}]",),
         "objective[0].rows.curate[0].kind: no such curator"),
        ((SAME, "gate.steps=[2]"), "no step 2 to beat; the steps before the last one are 1 to 1"),
        (("gate.steps=[1]",), "no step 1 to beat; the spec has no earlier step"),
        (("objective=[]",), "expected a kind, alone or in a mapping with its fields, got []"),
    ],
    ids=["seeds", "rows", "train", "file", "curator", "last step", "no step", "empty"],
)
def test_what_is_wrong_with_a_step_is_said_in_one_line_at_the_step(
    settings: tuple[str, ...], said: str, spec: Path
) -> None:
    with pytest.raises(SpecError) as refused:
        resolved(spec.parent, *settings)
    (line,) = str(refused.value).splitlines()
    assert said in line


def test_an_objective_that_cannot_start_from_an_artifact_is_refused(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_factory.learn import Counting

    monkeypatch.setattr(Counting, "start_form", "")
    with pytest.raises(SpecError, match="'counting' cannot start from another one's artifact; make it the only step"):
        resolved(spec.parent, SAME)
    assert resolved(spec.parent, "objective=[counting]")[0].steps, "as the first step it starts from the base"
