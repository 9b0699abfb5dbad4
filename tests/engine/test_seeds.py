"""Several seeds of one recipe: trained side by side, judged together, one of them bundled by validation rows."""

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import toy_builds as builds
from toy_project import resolved

from factory.data.rows import read_json, read_jsonl
from factory.errors import SpecError
from factory.events import Measured
from factory.plan.compiler import compile_plan
from factory.store.looks import read_looks

FORGETFUL = ("--set", "objective.forget=0.5")
"""So that another seed answers otherwise."""
SLOW = ("--set", "objective.pause=0.05")
SEEDS = ("7", "8", "9")


@pytest.fixture
def spec(toy: Path) -> Path:
    return toy / "toy.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def show() -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(builds.ask_factory("show", "--json"))
    return shown


def build(spec: Path, home: Path, *settings: str) -> dict[str, Any]:
    """What `show --json` says of a build with these settings."""
    code, said = builds.build(spec, home, *FORGETFUL, *(word for one in settings for word in ("--set", one)))
    assert code in (0, 2, 3), said
    return show()


def output(shown: dict[str, Any], stage: str) -> Path:
    """The output folder of a stage of a build."""
    (key,) = (each["key"] for each in shown["stages"] if each["name"] == stage)
    return Path(shown["bundle"]).parents[2] / stage.partition("[")[0] / key / "output"


def read_right(folder: Path, contender: str) -> dict[str, float]:
    return {row["id"]: row["values"]["accuracy"] for row in read_jsonl(folder / f"{contender}.jsonl")}


def test_three_seeds_are_one_verdict_and_one_look_and_every_page_shows_them(
    spec: Path, home: Path, tmp_path: Path
) -> None:
    shown = build(spec, home, "train.seeds=3", "train.seed=7")
    seeds, gate = shown["gate"]["seeds"], shown["gate"]
    scores = output(shown, "score")
    by_seed = {seed: read_right(scores, f"tuned seed {seed}") for seed in SEEDS}
    levels = {seed: mean(right.values()) for seed, right in by_seed.items()}
    assert seeds["levels"] == pytest.approx(levels, abs=1e-6) and len(set(levels.values())) > 1
    assert gate["tuned"]["mean"] == seeds["mean"] == pytest.approx(mean(levels.values()), abs=1e-6)
    assert (seeds["min"], seeds["max"]) == pytest.approx((min(levels.values()), max(levels.values())), abs=1e-6)
    assert seeds["deviation"] == pytest.approx(stdev(levels.values()), abs=1e-6)
    assert read_right(scores, "tuned") == pytest.approx({
        row: mean(right[row] for right in by_seed.values()) for row in by_seed["7"]
    })
    assert gate["looks"]["number"] == len(read_looks(home)) == 1

    # The model that is best on validation rows, the first of equal ones, is what all later stages have.
    best = max(SEEDS, key=lambda seed: seeds["validation"][seed])
    assert seeds["bundled"] == int(best) == read_json(output(shown, "train") / "train.json")["seeds"]["bundled"]
    trained = {seed: (output(shown, f"train[seed {seed}]") / "artifact" / "words.json").read_bytes() for seed in SEEDS}
    assert len(set(trained.values())) == 3
    assert (Path(shown["bundle"]) / "words.json").read_bytes() == trained[best]
    answers = [output(shown, f"answer[{name}]") / "answers.jsonl" for name in ("tuned", f"tuned seed {best}")]
    assert answers[0].read_bytes() == answers[1].read_bytes()

    report = tmp_path / "page.html"
    builds.ask_factory("report", "latest", "--out", str(report))
    pages = [report.read_text(), builds.ask_factory("show"), builds.ask_factory("tui", "--once", "verdict")]
    for page in (*pages, (Path(shown["bundle"]) / "README.md").read_text()):
        text = " ".join(page.split())
        assert f"tuned is the mean of 3 seeds: accuracy {seeds['mean']:.3f}" in text, page
        assert f"the bundle has seed {best}, which is best on validation rows" in text, page

    # A comparison of this run's contenders has the interval of its gate, not that of rows alone.
    compared = json.loads(builds.ask_factory("compare", "latest:tuned", "latest:commonest", "--json"))
    (gain,) = gate["comparisons"]
    assert [compared[name] for name in ("difference", "low", "high")] == [
        gain[name] for name in ("difference", "low", "high")
    ]


def test_one_seed_is_the_plan_that_it_was_and_more_seeds_train_only_those(spec: Path, home: Path) -> None:
    plans = [compile_plan(resolved(spec.parent, *more)[0]) for more in ((), ("train.seeds=1",), ("train.seeds=2",))]
    assert plans[0] == plans[1]
    plain, second = ({stage.name: stage.key for stage in plan.stages} for plan in plans[1:])
    assert (second["train[seed 7]"], second["answer[tuned seed 7]"]) == (plain["train"], plain["answer[tuned]"])
    other = compile_plan(resolved(spec.parent, "train.seed=8")[0])
    assert (second["train[seed 8]"], second["answer[tuned seed 8]"]) == (
        other["train"].key, other["answer[tuned]"].key
    )
    changed = {name for name in plain if name in second and plain[name] != second[name]}
    assert changed == {"train", "answer[tuned]", "look", "score", "gate", "bundle", "certify"}

    first = build(spec, home)
    both = build(spec, home, "train.seeds=2")
    made = builds.ran(home)
    assert made[:2] == ["train[seed 8]", "train"] and "answer[tuned seed 7]" not in made
    assert both["gate"]["seeds"]["levels"]["7"] == first["gate"]["tuned"]["mean"]
    assert [both["gate"]["looks"]["number"], first["gate"]["looks"]["number"]] == [2, 1]
    assert build(spec, home, "train.seeds=2")["gate"] == both["gate"] and builds.ran(home) == []


def test_validation_rows_that_were_trained_on_choose_no_seed(spec: Path, home: Path) -> None:
    shown = build(spec, home, "train.seeds=2", "train.seed=8", "objective.refit=true")
    seeds = shown["gate"]["seeds"]
    assert (seeds["bundled"], seeds["validation"]) == (8, {})
    assert "the bundle has seed 8, the first one, as no validation rows are left to choose by" in seeds["findings"]


def test_rules_of_other_contenders_see_all_of_them_whatever_the_seed(spec: Path) -> None:
    matched = ("contenders=[untuned, tuned, commonest]", "gate.match={contender: commonest, within: 0.1, latency: 2}")
    one, two = (compile_plan(resolved(spec.parent, *matched, f"train.seeds={count}")[0]) for count in (1, 2))
    names = ["untuned", "tuned seed 7", "tuned seed 8", "tuned", "commonest"]
    assert [name for name in two.list_stage_names() if name.startswith("answer[")] == [f"answer[{n}]" for n in names]
    assert two["answer[tuned seed 7]"].config == one["answer[tuned]"].config and one["answer[tuned]"].config["timed"]
    assert two["answer[tuned seed 7]"].key == one["answer[tuned]"].key
    assert two["answer[commonest]"] == one["answer[commonest]"] and two["answer[tuned]"].inputs["train"] == "train"


def read_steps(home: Path, stage: str) -> list[int]:
    return [event.step for event in builds.events(home) if isinstance(event, Measured) and event.stage == stage]


def test_a_build_that_is_killed_in_its_second_seed_goes_on_there(spec: Path, home: Path) -> None:
    wanted = (*SLOW, "--set", "train.seeds=2")
    process = builds.start(spec, home, *wanted)
    builds.until(lambda: (home / "runs").is_dir() and list((home / "runs").iterdir()) and (
        len(read_steps(home, "train[seed 8]")) > 5
    ))
    process.kill()
    builds.ended(process)
    builds.until(lambda: not builds.living(home))
    before = read_steps(home, "train[seed 8]")
    assert builds.build(spec, home, *wanted)[0] in (0, 2, 3)
    assert builds.ran(home)[0] == "train[seed 8]" and "train[seed 7]" not in builds.ran(home)
    assert before[0] == 1 and before[-1] <= read_steps(home, "train[seed 8]")[0] <= before[-1] + 3


@pytest.mark.parametrize("count", ["0", "100"])
def test_no_seed_and_a_hundred_are_refused_in_one_line(spec: Path, count: str) -> None:
    with pytest.raises(SpecError) as refused:
        resolved(spec.parent, f"train.seeds={count}")
    (line,) = str(refused.value).splitlines()
    assert "train.seeds" in line and ("1" if count == "0" else "20") in line


def test_two_seeds_of_a_real_model_are_judged_together(tiny_retrieval: Path, home: Path) -> None:
    code, said = builds.build(tiny_retrieval, home, "--set", "train.seeds=2", "--set", "contenders=[tuned, untuned]")
    assert code in (0, 2, 3), said
    shown = show()
    seeds = shown["gate"]["seeds"]
    artifacts = [output(shown, f"train[seed {seed}]") / "artifact" / "adapter_model.safetensors" for seed in (7, 8)]
    assert artifacts[0].read_bytes() != artifacts[1].read_bytes()
    certified = read_json(output(shown, "certify") / "certify.json")
    assert certified["passed"] and set(seeds["levels"]) == set(seeds["validation"]) == {"7", "8"}
    assert seeds["metric"] == shown["gate"]["metric"] == "ndcg@10"
