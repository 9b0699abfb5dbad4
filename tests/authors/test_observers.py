"""The second hook: every event of a build, heard from a third-party package, by MLflow and by trackio."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import strangers
import toy_builds as builds
from toy_project import TOY


def build(toy: Path, home: Path, *paths: Path, **environment: str) -> tuple[int, list[str]]:
    path = os.pathsep.join(map(str, [*paths, TOY]))
    return builds.build(toy / "toy.yaml", home, PYTHONPATH=path, **environment)


def asked(script: str, **environment: str) -> str:
    """What a fresh interpreter prints: the library reads its own store."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env={**os.environ, **environment}, capture_output=True,
        text=True, check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_strangers_observer_hears_the_end_of_a_build(toy: Path, tmp_path: Path) -> None:
    site = strangers.installed(tmp_path / "site", ["counter"])
    file = tmp_path / "verdicts"
    assert build(toy, tmp_path / "home", site, VERDICTS=str(file))[0] == 0
    (line,) = file.read_text().splitlines()
    assert line.endswith(" SHIP") and "-toy-" in line


def test_an_observer_that_fails_is_named_and_the_build_goes_on(toy: Path, tmp_path: Path) -> None:
    site = strangers.installed(tmp_path / "site", ["counter"])
    code, said = build(toy, tmp_path / "home", site, VERDICTS=str(tmp_path / "no" / "folder"))
    assert code == 0
    (line,) = [line for line in said if "observer" in line]
    assert line.startswith("build: warning: observer stranger-counter:stranger-counter: FileNotFoundError")


MLFLOW = """
from mlflow import MlflowClient
client = MlflowClient()
experiment = client.get_experiment_by_name("toy")
(run,) = client.search_runs([experiment.experiment_id])
losses = client.get_metric_history(run.info.run_id, "train.loss")
print(run.info.status, run.data.tags["verdict"], run.data.params["data.split.test"], len(losses), losses[1].step)
print(sorted(name for name in run.data.metrics if name.startswith("seconds."))[:2])
"""


def test_mlflow_holds_the_curve_the_choices_and_the_verdict(toy: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    store = {"MLFLOW_TRACKING_URI": (tmp_path / "mlruns").as_uri(), "MLFLOW_ALLOW_FILE_STORE": "true"}
    code, said = build(toy, tmp_path / "home", FACTORY_OBSERVERS="mlflow", **store)
    assert code == 0 and not [line for line in said if "observer" in line], said
    first, second = asked(MLFLOW, **store).splitlines()
    assert first == "FINISHED SHIP 60 90 2"
    assert "seconds.answer.commonest" in second


TRACKIO = """
from trackio.sqlite_storage import SQLiteStorage
(name,) = SQLiteStorage.get_runs("toy")
rows = SQLiteStorage.get_logs("toy", name)
losses = [row["train.loss"] for row in rows if "train.loss" in row]
print(len(losses), rows[-1]["verdict"], rows[-1]["exit_code"], "seconds.train" in rows[-1])
print(SQLiteStorage.get_run_config("toy", name)["data.split.test"])
"""


def test_trackio_holds_the_curve_the_choices_and_the_verdict(toy: Path, tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    store = {"TRACKIO_DIR": str(tmp_path / "trackio")}
    code, said = build(toy, tmp_path / "home", FACTORY_OBSERVERS="trackio", **store)
    assert code == 0 and not [line for line in said if "observer" in line], said
    first, second = asked(TRACKIO, **store).splitlines()[-2:]
    assert first == "90 SHIP 0 True" and second == "60"


def test_an_observer_whose_library_is_not_there_says_which_extra(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "trackio.py").write_text("raise ImportError('not here')\n")
    code, said = build(toy, tmp_path / "home", tmp_path / "none", FACTORY_OBSERVERS="trackio")
    assert code == 0
    (line,) = [line for line in said if "observer" in line]
    assert "the observer `trackio` needs trackio: pip install 'specialist-factory[trackio]'" in line
