"""A project's own folder of plugins counts where the command line names it, and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import strangers
import toy_builds as builds

from factory.errors import InputError
from factory.registry import local_plugins, new_plugin

LATER = """\
from factory.api import Metric, Scores, Eval, hookimpl
import helper


class Later(Eval):
    \"\"\"Is the label right, said by a project of its own.\"\"\"

    kind = "later"
    output_type = "label"
    columns = ("label",)
    metrics = (Metric("later", "share of right labels"),)
    primary_metric = "later"

    def score(self, job):
        for row in job.rows:
            right = job.answers[row.id].output == row["label"]
            yield Scores(row.id, {"later": helper.WORTH * right})


@hookimpl
def factory_plugins():
    return [Later]
"""


@pytest.fixture
def own(toy: Path) -> Path:
    """A folder with a plugin module and its helper, beside the toy's spec."""
    folder = toy / "own"
    folder.mkdir()
    (folder / "later.py").write_text(LATER)
    (folder / "helper.py").write_text("WORTH = 1.0\n")
    return folder


EVAL = ("--set", "evaluate=[later]")


def factory(toy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "factory", *arguments]
    return subprocess.run(command, cwd=toy, env={**os.environ}, capture_output=True, text=True, check=False)


def test_a_spec_alone_never_reaches_a_folder(own: Path, tmp_path: Path) -> None:
    toy = own.parent
    run = factory(toy, "check", "toy.yaml", *EVAL)
    assert run.returncode == 64 and "no such eval: 'later'" in run.stderr
    assert factory(toy, "check", "toy.yaml", *EVAL, "--plugins", "own").returncode == 0
    assert factory(toy, "check", "toy.yaml", *EVAL).returncode == 64


def test_a_local_plugin_works_in_the_worker_and_its_files_are_in_the_key(own: Path, tmp_path: Path) -> None:
    toy, home = own.parent, tmp_path / "home"
    arguments = (*EVAL, "--plugins", str(own))
    assert builds.build(toy / "toy.yaml", home, *arguments)[0] == 0
    assert builds.build(toy / "toy.yaml", home, *arguments)[0] == 0
    assert builds.ran(home) == []
    (own / "helper.py").write_text("WORTH = 0.5\n")
    assert builds.build(toy / "toy.yaml", home, *arguments)[0] == 0
    assert builds.ran(home) == ["score", "gate", "bundle", "certify"]


def test_a_package_that_is_not_installed_is_found_by_its_entry_points(toy: Path) -> None:
    new_plugin.create_plugin_package("far-off", "curator", toy / "far-off")
    run = factory(toy, "plugins", "far-off", "--plugins", "far-off", "--json")
    (found,) = json.loads(run.stdout)
    assert found["role"] == "curator" and found["package"] == str(toy / "far-off")
    assert factory(toy, "plugins", "far-off").returncode == 64


def test_a_folder_without_plugins_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        local_plugins.find_local_modules(tmp_path / "none")
    (tmp_path / "helper.py").write_text("WORTH = 1\n")
    with pytest.raises(InputError, match="no plugins found; expected a module with a function factory_plugins"):
        local_plugins.find_local_modules(tmp_path)


def test_a_local_module_never_hides_an_installed_one(toy: Path) -> None:
    (toy / "own").mkdir()
    (toy / "own" / "json.py").write_text("def factory_plugins(): ...\n")
    run = factory(toy, "plugins", "--plugins", "own")
    assert run.returncode == 0 and "another module named 'json' is found first" in run.stderr


def test_check_stays_light_and_the_doctor_names_who_would_not(toy: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    source = tmp_path / "leaden"
    new_plugin.create_plugin_package("leaden", "curator", source)
    module = source / "leaden" / "curator.py"
    module.write_text(module.read_text().replace("from pydantic", "import torch  # noqa: F401\nfrom pydantic"))
    strangers.installed(site, [source])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ["PYTHONPATH"]])}
    script = (
        "import sys; from factory.cli import run_command_line; run_command_line(sys.argv[1:]); print('torch' in "
        "sys.modules)"
    )
    for spec, heavy in (("toy.yaml", "False"), ("named.yaml", "True")):
        (toy / "named.yaml").write_text((toy / "toy.yaml").read_text().replace("data:", "data:\n  curate: [leaden]"))
        command = [sys.executable, "-c", script, "check", spec]
        run = subprocess.run(command, cwd=toy, env=environment, capture_output=True, text=True, check=True)
        assert run.stdout.splitlines() == [f"{spec}: valid (toy, task toy)", heavy], run.stderr
    doctor = subprocess.run(
        [sys.executable, "-m", "factory", "plugins", "--doctor", "--json"], env=environment, capture_output=True,
        text=True, check=False,
    )
    found = {one["module"]: one for one in json.loads(doctor.stdout)}
    assert doctor.returncode == 69 and "torch" in found["leaden"]["heavy"] and not found["factory_sql"]["heavy"]
