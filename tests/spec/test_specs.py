"""The specs and the commands that the README shows, run for real on a real base: minutes, so on request only."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT
from readme_parts import commands

pytestmark = pytest.mark.slow
VERDICTS = {0, 2, 3}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def factory(home: Path, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "FACTORY_HOME": str(home), "PYTHONPATH": path}
    command = [sys.executable, "-m", "factory", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("backend", ["cpu", "hf"])
@pytest.mark.parametrize("spec", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_spec_builds_to_a_verdict_under_smoke_with_either_backend(spec: Path, backend: str, home: Path) -> None:
    run = factory(home, "build", str(spec), "--profile", "smoke", "--set", f"train.backend={backend}")
    assert run.returncode in VERDICTS, run.stderr
    trained = [json.loads(path.read_text())["facts"] for path in home.glob("store/train/*/output/train.json")]
    assert backend in {facts["backend"] for facts in trained}
    assert list(home.glob("store/certify/*/output/certify.json"))


BRIEFLY = {"build": ["--profile", "smoke"], "advise": ["--profile", "smoke", "--rows", "8"], "tui": ["--once", "runs"]}
"""What a command gets here beside what the README shows: less to do, and no terminal."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What of a clone the README's commands name, and the reader's own spec, whose rows wait for an expert."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    shutil.copy(ROOT / "README.md", tmp_path)
    mine = (ROOT / "specs" / "classifier.yaml").read_text()
    asked = "  review: {file: my.review.jsonl, share: 0.01}\n  limit: 4000\n"
    (tmp_path / "my.yaml").write_text(mine.replace("  limit: 4000\n", asked))
    return tmp_path


def test_every_command_of_the_readme_runs_after_it(home: Path, clone: Path) -> None:
    for line in commands():
        _, name, *arguments = shlex.split(line)
        more = BRIEFLY.get(name, []) if "--profile" not in arguments else []
        run = factory(home, name, *arguments, *more, folder=clone)
        assert run.returncode in (VERDICTS if name == "build" else {0}), (line, run.stderr)
    pages = [path.name for path in clone.glob("*.html")]
    assert len(pages) == 2 and "rows.html" in pages and (clone / "my-metric").is_dir()
