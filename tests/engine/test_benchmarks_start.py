"""A benchmark says in one line what it needs: a finished build, a wheel, a file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = sorted(path for path in BENCHMARKS.glob("*.py") if 'if __name__ == "__main__"' in path.read_text())
OWN_PARSER = {"tui.py", "tutorial_walk.py"}
"""They need nothing of a home: one writes its own, the other makes a venv."""
NEED_A_BUILD = ("rerank_training", "completion_training", "answering", "constrained_decoding")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_benchmark_starts_where_errors_become_lines(script: Path) -> None:
    last = ast.unparse(ast.parse(script.read_text()).body[-1])
    assert "run_main(main)" in last or script.name in OWN_PARSER


def start(home: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit code and standard error of a benchmark in an empty home."""
    run = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "FACTORY_HOME": str(home), "OMP_NUM_THREADS": "1", "HOME": str(home)},
    )
    return run.returncode, run.stderr.splitlines()


def test_a_missing_file_and_a_spec_that_does_not_check_are_lines(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: factory/v9\n")
    code, told = start(tmp_path, str(BENCHMARKS / "whole_build.py"), "--spec", str(tmp_path / "none.yaml"))
    assert code == 64 and len(told) == 1 and "none.yaml' does not exist" in told[0]
    code, told = start(tmp_path, str(BENCHMARKS / "whole_build.py"), "--spec", str(tmp_path / "bad.yaml"))
    assert code == 64 and "Traceback" not in "".join(told) and "bad.yaml:" in told[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", NEED_A_BUILD)
def test_a_benchmark_without_its_build_names_the_command(name: str, tmp_path: Path) -> None:
    code, told = start(tmp_path, str(BENCHMARKS / f"{name}.py"))
    lines = [line for line in told if "Warning" not in line]
    assert code == 64 and "run `factory build specs/" in lines[-1] and "Traceback" not in "".join(told)
