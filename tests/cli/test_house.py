"""The house rules that no linter knows: sizes of files and functions, and what stays light."""

import ast
from collections import Counter
from pathlib import Path

import pytest
from house_parts import HEAVY, loaded_after
from places import ROOT

CODE = sorted([*ROOT.glob("factory/**/*.py"), *ROOT.glob("plugins/**/*.py"), *ROOT.glob("benchmarks/**/*.py")])


def functions() -> list[tuple[str, int]]:
    found = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.append((f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1))
    return found


def test_no_file_is_longer_than_300_lines() -> None:
    stories = sorted(ROOT.glob("tests/**/*.py"))
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in [*CODE, *stories]}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_every_folder_is_read_in_one_sitting() -> None:
    counts = Counter(path.parent.relative_to(ROOT) for path in [*CODE, *ROOT.glob("tests/**/*.py")])
    assert {str(folder): count for folder, count in counts.items() if count > 35} == {}


def test_no_function_is_longer_than_50_lines_and_nine_in_ten_have_25() -> None:
    lengths = functions()
    assert [name for name, length in lengths if length > 50] == []
    assert sum(length <= 25 for _, length in lengths) >= 0.9 * len(lengths)


def test_help_is_light() -> None:
    loaded = loaded_after("from factory.cli import main; main()", "--help")
    assert not loaded & {*HEAVY, "pydantic", "numpy", "rich"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "specs/reranker.yaml"], ["plan", "specs/reranker.yaml"], ["why", "specs/reranker.yaml", "train"],
        ["runs"], ["plugins"], ["schema"], ["bases"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_read_never_load_torch(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    loaded = loaded_after("from factory.cli import main; main()", *arguments)
    assert not loaded & set(HEAVY)
