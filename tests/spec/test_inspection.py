"""`factory check` looks at first rows, file types, extras and the base: what is wrong is said with its line."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from factory.models.position_limit import find_position_limit, read_position_limit
from factory.registry.registry import load_installed_registry
from factory.spec.inspection import inspect_spec
from factory.spec.layers import resolve_spec

SPEC = """\
apiVersion: factory/v1
name: tickets
task: classifier
models: {{student: base}}
data:
  {data}sources:
    - {source}
  split: {{test: {test}, validation: 5}}
objective: {{kind: classification, max_length: {length}}}
"""
SOURCE = "{kind: jsonl, file: d.jsonl, columns: [text, label]}"
ROWS = [{"text": f"my parcel {n} is late", "label": "ab"[n % 2]} for n in range(30)]


def inspect(
    folder: Path, source: str = SOURCE, rows: list[dict] | bytes = ROWS, test: int = 5, length: int = 64, data: str = ""
) -> list[str]:
    """What is found in the folder, each as `line: field: message`."""
    content = rows if isinstance(rows, bytes) else "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "d.jsonl").write_bytes(content)
    (folder / "base").mkdir(exist_ok=True)
    (folder / "base" / "config.json").write_text('{"model_type": "bert", "max_position_embeddings": 128}')
    (folder / "base" / "model.safetensors").touch()
    (folder / "s.yaml").write_text(SPEC.format(source=source, test=test, length=length, data=data))
    resolved = resolve_spec(folder / "s.yaml", registry=load_installed_registry())
    return [f"{p.line}: {p.field}: {p.message}" for p in inspect_spec(resolved, folder / "wheels")]


def test_a_good_spec_has_no_problem(tmp_path: Path) -> None:
    assert inspect(tmp_path) == []


def test_a_misspelt_column_is_named_with_the_right_one(tmp_path: Path) -> None:
    found = inspect(tmp_path, "{kind: jsonl, file: d.jsonl, map: {text: txt, label: label}}")
    assert found == [
        "7: data.sources[0].file: d.jsonl:1: txt: no such field; the record has label, text; did you mean 'text'?"
    ]


@pytest.mark.parametrize(("kind", "said"), [
    ("parquet", "d.jsonl: not Parquet: it looks like JSONL; use `kind: jsonl`"),
    ("sqlite, table: t", "d.jsonl: not a SQLite database: it looks like JSONL; use `kind: jsonl`"),
])
def test_a_file_of_another_kind_is_named(tmp_path: Path, kind: str, said: str) -> None:
    found = inspect(tmp_path, f"{{kind: {kind}, file: d.jsonl, columns: [text, label]}}")
    assert found == [f"7: data.sources[0].file: {said}"]


def test_more_test_rows_than_there_are_is_said(tmp_path: Path) -> None:
    said = "rows are asked for, and the sources have 30 rows: none is left to train on; ask for fewer, or for auto"
    assert inspect(tmp_path, test=25) == [f"8: data.split.test: 25 test and 5 validation {said}"]
    assert inspect(tmp_path, test=24) == []
    with_own = [{**row, "split": "test" if n < 9 else "train"} for n, row in enumerate(ROWS)]
    own = "{kind: jsonl, file: d.jsonl, columns: [text, label], split: split}"
    assert inspect(tmp_path, own, with_own, test=25) == []


def test_many_empty_labels_are_said_and_a_few_are_not(tmp_path: Path) -> None:
    rows = [{**row, "label": "" if n % 3 == 0 else row["label"]} for n, row in enumerate(ROWS)]
    said = "label: empty in 10 of the 30 rows read; fill it, or remove these rows"
    assert inspect(tmp_path, rows=rows) == [f"7: data.sources[0]: {said}"]
    assert inspect(tmp_path, rows=[{**ROWS[0], "label": " "}, *ROWS[1:]]) == []


def test_a_bad_line_is_no_problem_where_the_spec_skips_it(tmp_path: Path) -> None:
    rows = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS) + b"no json\n"
    assert inspect(tmp_path, rows=rows)[0].startswith("7: data.sources[0].file: d.jsonl:31: not JSON: ")
    assert inspect(tmp_path, rows=rows, data="on_error: skip\n  ") == []


def test_a_text_longer_than_the_base_has_positions_is_refused(tmp_path: Path) -> None:
    said = "200 is more than the 128 positions of the base; set it to at most 128"
    assert inspect(tmp_path, length=200) == [f"9: objective.max_length: {said}"]
    assert inspect(tmp_path, length=128) == []


def test_a_base_that_plan_refuses_is_refused(tmp_path: Path) -> None:
    inspect(tmp_path)
    for name, said in {"config.json": "no config.json", "model.safetensors": "weights are not safetensors"}.items():
        kept = (tmp_path / "base" / name).read_bytes()
        (tmp_path / "base" / name).unlink()
        resolved = resolve_spec(tmp_path / "s.yaml", registry=load_installed_registry())
        (problem,) = inspect_spec(resolved, tmp_path / "wheels")
        assert (problem.line, problem.field) == (4, "models.student") and said in problem.message
        (tmp_path / "base" / name).write_bytes(kept)
    spec = (tmp_path / "s.yaml").read_text()
    (tmp_path / "s.yaml").write_text(spec.replace("student: base", "student: 'wheel:stranger==1.0'"))
    resolved = resolve_spec(tmp_path / "s.yaml", registry=load_installed_registry())
    (problem,) = inspect_spec(resolved, tmp_path / "wheels")
    assert problem.field == "models.student" and "it needs #sha256=" in problem.message


def test_a_missing_extra_is_named_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = inspect(tmp_path, "{kind: parquet, file: d.jsonl, columns: [text, label]}")
    needs = "'parquet' needs the Python module pyarrow, which is not installed"
    assert found == [f"7: data.sources[0]: {needs}: pip install 'specialist-factory[parquet]'"]


def test_the_limit_of_a_cached_wheel_is_read_and_that_of_another_is_unknown(tmp_path: Path) -> None:
    digest = "0" * 64
    with zipfile.ZipFile(tmp_path / f"{digest}.whl", "w") as wheel:
        wheel.writestr("m/model/1_Pooling/config.json", '{"dim": 3}')
        wheel.writestr("m/model/config.json", '{"model_type": "roberta", "max_position_embeddings": 514}')
    assert find_position_limit(f"wheel:m==1.0#sha256={digest}", tmp_path, tmp_path) == 512
    assert find_position_limit(f"wheel:m==1.0#sha256={'1' * 64}", tmp_path, tmp_path) is None
    (tmp_path / "config.json").write_text('{"model_type": "llama", "max_position_embeddings": 2048}')
    assert read_position_limit(tmp_path) is None
