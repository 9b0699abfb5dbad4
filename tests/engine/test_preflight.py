"""The audit before training, and the proof that nothing frozen is trained on: planted faults are found and counted."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_retrieval
import toy_builds as builds
from tiny_parts import Voice

from factory.api import Provenance, Row
from factory.data.rows import read_json, read_jsonl, read_rows, write_json, write_rows
from factory.errors import InputError
from factory.registry.registry import load_installed_registry
from factory.stages import curate, freeze, preflight
from factory.stages.job import StageJob

HERE = Provenance("planted.jsonl", 1)
LONG = " ".join(tiny_retrieval.WORDS[:30])
DOCUMENTS = {"d0": "kalana mopira", "d1": "tulanis zedosum", "d2": " ", "d3": LONG}
LIMITS = {"truncated": 0.0, "empty": 0.0, "empty_document": 0.0, "missing": 0.0, "unreachable": 0.0}
ROWS = {
    "fine": {"query": "kalana", "relevant": {"d0": 1}, "candidates": ["d1", "d0"]},
    "long query": {"query": LONG, "relevant": {"d0": 1}, "candidates": ["d0"]},
    "long document": {"query": "kalana", "relevant": {"d3": 1}, "candidates": ["d3"]},
    "no text": {"query": "", "relevant": {"d0": 1}, "candidates": ["d0"]},
    "no document": {"query": "mopira", "relevant": {"d0": 1, "d9": 1}, "candidates": ["d0"]},
    "empty document": {"query": "mopira", "relevant": {"d2": 1}, "candidates": ["d2"]},
    "not found": {"query": "zedosum", "relevant": {"d1": 1}, "candidates": ["d0"]},
}


def job(folder: Path, **config: Any) -> StageJob:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    inputs = {role: folder / role for role in ("base", "gather", "prepare", "freeze", "synthesize", "curate")}
    return StageJob(
        "stage", {"seed": 7, "task": {"kind": "reranker"}, **config}, inputs, out, folder / "work", folder, folder,
        Voice(), load_installed_registry(),
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("audit") / "base"
    threads, os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS"), "1"
    tiny_retrieval.base(folder / "model")
    write_json(folder / "base.json", dict.fromkeys(("id", "revision", "digest", "licence"), "tiny"))
    yield folder
    os.environ.pop("OMP_NUM_THREADS") if threads is None else os.environ.update(OMP_NUM_THREADS=threads)


def audited(tmp_path: Path, base: Path, limits: dict[str, float], names: tuple[str, ...] = tuple(ROWS)) -> StageJob:
    """A preflight over rows with these faults."""
    (tmp_path / "base").symlink_to(base)
    rows = [Row(name, {"negatives": [], **ROWS[name]}, HERE) for name in names]
    write_rows(tmp_path / "curate" / "train.jsonl", rows)
    write_json(tmp_path / "curate" / "curate.json", {"tests": []})
    for part in ("validation", "test"):
        write_rows(tmp_path / "freeze" / f"{part}.jsonl", [])
    table = [Row(name, {"text": text}, HERE, table="documents") for name, text in DOCUMENTS.items()]
    write_rows(tmp_path / "gather" / "tables" / "documents.jsonl", table)
    return job(tmp_path, limits=limits, objective={"kind": "late-interaction", "max_length": 16})


def checks(work: StageJob) -> dict[str, dict[str, Any]]:
    return {check["check"]: check for check in read_json(work.out / "preflight.json")["checks"]}


def test_every_planted_fault_is_counted_with_its_row(tmp_path: Path, base: Path) -> None:
    work = audited(tmp_path, base, dict.fromkeys(LIMITS, 1.0))
    preflight.run(work)
    found = {name: (check["rows"], [e["row"] for e in check["examples"]]) for name, check in checks(work).items()}
    assert found == {
        "truncated": (2, ["long query", "long document"]),
        "empty": (1, ["no text"]),
        "empty_document": (1, ["empty document"]),
        "missing": (1, ["no document"]),
        "unreachable": (1, ["not found"]),
    }
    one = checks(work)["truncated"]
    assert one["share"] == round(2 / 7, 6) and one["limit"] == 1.0 and one["passed"] is True
    assert one["examples"][0]["text"] == "query: 32 tokens exceed max_length (16)"


def test_texts_longer_than_the_positions_of_the_base_stop_the_build_before_training(tmp_path: Path, base: Path) -> None:
    work = audited(tmp_path, base, LIMITS, ("fine",))
    work.config["objective"]["max_length"] = 8192
    positions = read_json(base / "model" / "config.json")["max_position_embeddings"]
    said = f"8192 is more than the {positions} positions of the base; set it to at most {positions}"
    with pytest.raises(InputError, match=f"^objective.max_length: {said}$"):
        preflight.run(work)


@pytest.mark.parametrize(("row", "said"), [
    ("long query", "truncated: 1 of 2 training rows, such as long query: query: 32 tokens exceed max_length (16)"),
    ("long document",
     "truncated: 1 of 2 training rows, such as long document: document 'd3' exceeds max_length (16)"),
    ("no text", "empty: 1 of 2 training rows, such as no text: no text in the query"),
    ("empty document",
     "empty_document: 1 of 2 training rows, such as empty document: relevant, but without text: 'd2'"),
    ("no document",
     "missing: 1 of 2 training rows, such as no document: relevant, but not in the corpus: 'd9'"),
    ("not found", "unreachable: 1 of 2 training rows, such as not found: relevant, but not among the candidates: 'd1'"),
])
def test_a_fault_stops_the_build_until_the_spec_tolerates_it(
    tmp_path: Path, base: Path, row: str, said: str
) -> None:
    work = audited(tmp_path, base, LIMITS, ("fine", row))
    name = said.partition(":")[0]
    with pytest.raises(InputError) as caught:
        preflight.run(work)
    assert str(caught.value) == f"{said}; fix the rows, or raise data.preflight.{name} above 0"
    assert not (work.out / "preflight.json").exists()
    tolerant = job(tmp_path, limits={**LIMITS, name: 0.5}, objective=work.config["objective"])
    preflight.run(tolerant)
    assert checks(tolerant)[name]["passed"] and checks(tolerant)[name]["rows"] == 1


def test_clean_rows_pass_with_a_zero_for_every_check(tmp_path: Path, base: Path) -> None:
    work = audited(tmp_path, base, LIMITS, ("fine",))
    preflight.run(work)
    assert {name: check["rows"] for name, check in checks(work).items()} == dict.fromkeys(LIMITS, 0)


@pytest.mark.parametrize("objective", ["bi-encoder", "cross-encoder"])
def test_every_objective_sees_what_it_would_cut(tmp_path: Path, base: Path, objective: str) -> None:
    work = audited(tmp_path, base, dict.fromkeys(LIMITS, 1.0))
    rows = [row.with_columns(signals={}) for row in work.open_input_rows("curate", "train.jsonl")]
    write_rows(tmp_path / "curate" / "train.jsonl", rows)
    preflight.run(job(tmp_path, limits=work.config["limits"], objective={"kind": objective, "max_length": 16}))
    assert [e["row"] for e in checks(work)["truncated"]["examples"]] == ["long query", "long document"]


def test_what_is_cut_off_frozen_rows_is_told_and_stops_nothing(tmp_path: Path, base: Path) -> None:
    work = audited(tmp_path, base, LIMITS, ("fine",))
    write_rows(tmp_path / "freeze" / "test.jsonl", [
        Row(name, {"negatives": [], **ROWS[name]}, HERE) for name in ("fine", "long query")
    ])
    preflight.run(work)
    found = checks(work)["truncated (test)"]
    assert (found["rows"], found["share"], found["passed"]) == (1, 0.5, True)


def frozen(tmp_path: Path) -> tuple[StageJob, list[Row]]:
    """Forty rows in twenty groups, split; the job of curation, and the test rows."""
    words = tiny_retrieval.WORDS
    rows = [
        Row(f"q{n:02}", {"query": " ".join(words[n * 3 % 110 : n * 3 % 110 + 6]) + f" number {n}"}, HERE, f"g{n // 2}")
        for n in range(40)
    ]
    write_rows(tmp_path / "prepare" / "rows.jsonl", rows)
    work = job(tmp_path, split={"test": 8, "validation": 4}, text="query")
    freeze.run(work)
    work.out.rename(tmp_path / "freeze")
    (tmp_path / "gather").mkdir()
    leakage = {"curators": [], "leakage": {"jaccard": 0.8}, "text": "query"}
    return job(tmp_path, **leakage), list(read_rows(tmp_path / "freeze" / "test.jsonl"))


def test_freezing_takes_whole_groups_and_says_what_it_took(tmp_path: Path) -> None:
    frozen(tmp_path)
    facts = read_json(tmp_path / "freeze" / "freeze.json")
    parts = {part: list(read_rows(tmp_path / "freeze" / f"{part}.jsonl")) for part in ("train", "validation", "test")}
    groups = {part: {row.group for row in rows} for part, rows in parts.items()}
    assert facts["counts"] == {part: len(rows) for part, rows in parts.items()} == {
        "train": 28, "validation": 4, "test": 8,
    }
    assert facts["groups"] == {part: len(names) for part, names in groups.items()}
    assert not groups["train"] & groups["test"] and not groups["validation"] & groups["test"]


def test_freezing_few_rows_says_what_went_where_and_warns_of_counts_that_leave_little(tmp_path: Path) -> None:
    rows = [Row(f"q{n}", {"query": f"number {n}"}, HERE, split="train" if n < 150 else "test") for n in range(200)]
    write_rows(tmp_path / "prepare" / "rows.jsonl", rows)
    few, eaten = job(tmp_path, split={}, text="query"), job(tmp_path, split={"validation": 100}, text="query")
    freeze.run(few), freeze.run(eaten)
    assert few.report.notes == [
        "150 rows are few: 128 to train on, 22 for validation (auto: 15 %); data.split.validation may set other counts"
    ]
    assert eaten.report.notes == [
        "only 50 of 150 rows are left to train on, after 100 for validation; lower data.split.validation, or add rows"
    ]


def test_what_leaks_by_group_text_or_parent_is_dropped_and_counted(tmp_path: Path) -> None:
    work, test = frozen(tmp_path)
    clean = work.open_input_rows("freeze", "train.jsonl")
    said = test[0]["query"]
    planted = [
        Row("same group", {"query": "something else entirely"}, HERE, test[0].group),
        Row("made from it", {"query": "another thing altogether"}, Provenance("", parents=(test[1].id,))),
        Row("same text", {"query": f"  {said.upper()}!"}, HERE, "own"),
        Row("near text", {"query": f"{said}s"}, HERE, "own"),
    ]
    write_rows(tmp_path / "synthesize" / "train.jsonl", [*clean, *planted])
    curate.run(work)
    proof = read_json(work.out / "curate.json")["leakage"]
    assert proof["dropped"] == {"group": 2, "exact": 1, "near": 1}
    assert [proof[count] for count in ("test_groups_in_training", "exact", "near")] == [0, 0, 0]
    assert proof["compared"] == len(clean) * 12 and proof["threshold"] == 0.8
    dropped = {line["row"]["id"]: (line["step"], line["twin"]) for line in read_jsonl(work.out / "dropped.jsonl")}
    assert dropped["same text"] == dropped["near text"] == ("leakage", test[0].id)
    assert dropped["made from it"] == ("leakage", test[1].id) and set(dropped) == {row.id for row in planted}
    kept = list(read_rows(work.out / "train.jsonl"))
    assert [row.id for row in kept] == [row.id for row in clean]
    assert all(row.provenance.detail["passed"] == ["leakage"] for row in kept)


def test_the_proof_is_in_the_bundle(toy: Path, tmp_path: Path) -> None:
    lines = (toy / "rows.jsonl").read_text().splitlines()
    copies = [json.dumps({**json.loads(line), "group": f"copy{n}"}) for n, line in enumerate(lines[:40])]
    (toy / "rows.jsonl").write_text("\n".join([*lines, *copies]) + "\n")
    assert builds.build(toy / "toy.yaml", tmp_path / "home")[0] == 0
    builds.digest(tmp_path / "home")
    (told,) = (tmp_path / "home" / "store" / "bundle").glob("*/output/factory/leakage.json")
    proof = read_json(told)["proof"]
    assert proof["dropped"]["exact"] > 5
    assert proof["test_groups_in_training"] == proof["exact"] == proof["near"] == 0


@pytest.mark.slow
def test_a_whole_build_stops_at_preflight_and_goes_on_when_told_to(tiny_retrieval: Path, tmp_path: Path) -> None:
    queries = tiny_retrieval.with_name("queries.jsonl")
    lines = [json.loads(line) for line in queries.read_text().splitlines()]
    for line in lines[::10]:
        line["text"] = " ".join([line["text"]] * 5)
    queries.write_text("".join(json.dumps(line) + "\n" for line in lines))
    home = tmp_path / "home"
    code, said = builds.build(tiny_retrieval, home)
    assert code == 64 and said[-1].startswith("preflight: truncated: ") and "raise data.preflight.truncated" in said[-1]
    assert builds.build(tiny_retrieval, home, "--set", "data.preflight.truncated=0.3")[0] in (0, 2, 3)
    assert builds.ran(home)[0] == "preflight"
