"""The house rules that no linter knows: sizes of files and functions, and what stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = sorted([*ROOT.glob("factory/**/*.py"), *ROOT.glob("plugins/**/*.py"), *ROOT.glob("benchmarks/**/*.py")])
HEAVY = ("torch", "transformers", "peft", "sentence_transformers", "datasets", "trl", "accelerate")


def functions() -> list[tuple[str, int]]:
    found = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.append((f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1))
    return found


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in CODE}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_no_function_is_longer_than_50_lines_and_nine_in_ten_have_25() -> None:
    lengths = functions()
    assert [name for name, length in lengths if length > 50] == []
    assert sum(length <= 25 for _, length in lengths) >= 0.9 * len(lengths)


def loaded_after(code: str, *arguments: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running some code."""
    script = f"import sys\nsys.argv[1:] = {list(arguments)!r}\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    script += "print('\\n' + ' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.splitlines()[-1].split())


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
