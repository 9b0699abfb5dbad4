"""The specs and the commands that the README shows, run for real on a real base: minutes, so on request only."""

import os
import shlex
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


def factory(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FACTORY_HOME": str(home)}
    command = [sys.executable, "-m", "factory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("spec", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_spec_builds_to_a_verdict_under_smoke(spec: Path, home: Path) -> None:
    run = factory(home, "build", str(spec), "--profile", "smoke")
    assert run.returncode in VERDICTS, run.stderr
    assert list(home.glob("store/certify/*/output/certify.json"))


def test_every_command_of_the_readme_runs_after_it(home: Path, tmp_path: Path) -> None:
    for line in commands():
        _, name, *arguments = shlex.split(line)
        if name == "build" and "--profile" not in arguments:
            arguments += ["--profile", "smoke"]
        if name == "report":
            arguments += ["-o", str(tmp_path / "report.html")]
        run = factory(home, name, *arguments)
        assert run.returncode in (VERDICTS if name == "build" else {0}), (line, run.stderr)
    assert (tmp_path / "report.html").stat().st_size > 10_000
