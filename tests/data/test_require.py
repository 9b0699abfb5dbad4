"""Tests of the data in a spec: refused when they can not be, measured after curation; a build stops where one fails."""

import json
from pathlib import Path

import pytest
from engine_parts import ran, run
from toy_project import resolved

from factory.api import Curator
from factory.data.rows import read_json
from factory.engine.build import StageError
from factory.errors import BAD_INPUT, SpecError
from factory.registry.registry import Registry
from factory.spec.layers import resolve_spec
from factory.store.paths import find_home


def required(*tests: str) -> str:
    return f"data.require=[{', '.join(tests)}]"


def curated() -> dict[str, object]:
    (file,) = (find_home() / "store" / "curate").glob("*/output/curate.json")
    return read_json(file)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("{metric: near_duplicate, max: 0}", "unknown metric 'near_duplicate'; did you mean 'near_duplicates'?"),
        ("{metric: rows}", "no limit; add max, min or both"),
        ("{metric: rows, min: 9, max: 3}", "no value can pass: min 9 is above max 3"),
        ("{metric: semantic_duplicates, max: 0}", "'semantic' needs the model 'embedder'; set models.embedder"),
    ],
)
def test_what_can_not_be_tested_is_refused_before_anything_runs(toy: Path, test: str, words: str) -> None:
    with pytest.raises(SpecError, match=r"data\.require") as caught:
        resolved(toy, required(test))
    assert words in str(caught.value)


def test_a_curator_with_fields_of_its_own_measures_where_the_spec_names_it(toy: Path) -> None:
    class Wordy(Curator):
        """Too many words."""

        kind = "wordy"
        share_metric = "wordy"
        words: int

    _, registry = resolved(toy)
    known = Registry.from_classes([*registry.list_classes(), Wordy])
    test = required("{metric: wordy, max: 0}")
    with pytest.raises(
        SpecError, match=r"the curator 'wordy' measures this and has required fields; add it to data\.curate"
    ):
        resolve_spec(toy / "toy.yaml", overrides=[test], registry=known)
    spec = resolve_spec(toy / "toy.yaml", overrides=[test, "data.curate=[{kind: wordy, words: 9}]"], registry=known)
    assert spec.metric_curators == (Wordy(words=9),)


def test_labels_are_counted_only_where_there_are_some(tiny_retrieval: Path) -> None:
    with pytest.raises(SpecError, match="the task 'reranker' has no labels; remove this test"):
        resolve_spec(tiny_retrieval, overrides=[required("{metric: labels_min, min: 3}")], registry=Registry.load())


def test_tests_that_pass_are_kept_with_their_figures(toy: Path) -> None:
    run(toy, required("{metric: rows, min: 50}", "{metric: duplicates, max: 0}", "{metric: pii, max: 0.1}"))
    found = {each["metric"]: (each["value"], each["facts"], each["passed"]) for each in curated()["tests"]}
    count = int(found["rows"][0])
    assert found == {
        "rows": (count, f"of {count} before curation", True),
        "duplicates": (0, f"0 of {count} rows", True), "pii": (0, f"0 of {count} rows", True),
    }


def test_a_build_stops_after_curation_with_a_line_for_each_failure(toy: Path) -> None:
    rows = [json.loads(line) for line in (toy / "rows.jsonl").read_text().splitlines()]
    rows += [{**row, "text": f"{row['text']} a{n}@b.org", "group": f"x{n}"} for n, row in enumerate(rows)]
    (toy / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(StageError) as caught:
        run(toy, required("{metric: pii, max: 0.02}", "{metric: rows, min: 1000}", "{metric: duplicates, max: 0}"))
    assert caught.value.exit_code == BAD_INPUT
    lines = str(caught.value).removeprefix("preflight: ").splitlines()
    assert len(lines) == 2 and lines[0].startswith("data.require: pii is 0.")
    mend = "let the curator 'pii' drop or fix them (data.curate), or raise its max"
    assert lines[0].endswith(f"above the allowed 0.02; {mend}")
    assert "below the required 1000; add sources, synthesize rows, or drop fewer, or lower its min" in lines[1]
    assert [each["passed"] for each in curated()["tests"]] == [False, False, True]
    _, events = run(toy, required("{metric: pii, max: 0.02}"), "data.curate=[pii]")
    assert "gather" not in ran(events) and "train" in ran(events)


def test_a_curator_of_the_spec_measures_by_its_own_settings(toy: Path) -> None:
    spec, _ = resolved(toy, required("{metric: near_duplicates, max: 0}"), "data.curate=[{kind: near, threshold: 0.7}]")
    (curator,) = spec.metric_curators
    assert isinstance(curator, Curator) and curator.to_block()["threshold"] == 0.7
