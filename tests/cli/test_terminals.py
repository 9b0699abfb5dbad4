"""A terminal of another encoding shows what it can, and what it can not as an escape."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_runs import fake_run

from factory.cli.output import print_json


def run(home: Path, encoding: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "FACTORY_HOME": str(home), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "factory", *arguments]
    return subprocess.run(command, capture_output=True, env=environment, check=False)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_signs_that_a_terminal_lacks_are_escaped(encoding: str, tmp_path: Path) -> None:
    fake_run(tmp_path)
    shown = run(tmp_path, encoding, "specialists")
    assert shown.returncode == 0 and b"\\u25b2 SHIP" in shown.stdout, shown
    assert run(tmp_path, encoding, "show", "latest").returncode == 0
    listed = run(tmp_path, encoding, "show", "latest", "--json")
    assert json.loads(listed.stdout.decode(encoding))["verdict"] == "SHIP"


def test_json_output_has_no_number_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"loss": [float("nan"), 1.5, (float("-inf"),)], "name": "é"})

    def refuse(name: str) -> None:
        raise AssertionError(name)

    shown = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert shown == {"loss": ["NaN", 1.5, ["-Infinity"]], "name": "é"}
