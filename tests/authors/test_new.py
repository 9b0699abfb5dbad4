"""`factory new` writes what works at once: a package for every role, and a spec with what was seen in the data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from factory.errors import InputError
from factory.registry import new_plugin
from factory.registry.registry import load_installed_registry
from factory.spec import infer_columns, new_spec


def factory(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "factory", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("role", new_plugin.SCAFFOLD_ROLES)
def test_a_new_package_is_found_and_its_smoke_spec_checks(role: str, tmp_path: Path) -> None:
    files = new_plugin.create_plugin_package("fresh-one", role, tmp_path / "fresh-one")
    text = "".join(file.read_text("utf-8") for file in files)
    assert not any(word in text for word in ("my_plugin", "my-plugin", "MyPlugin", "MY_ROLE"))
    run = factory(tmp_path / "fresh-one", "check", "smoke.yaml", "--plugins", ".")
    assert run.returncode == 0 and "smoke.yaml: valid (" in run.stdout, run.stderr
    told = factory(tmp_path / "fresh-one", "plugins", "fresh-one", "--plugins", ".").stdout
    assert told.startswith(f"fresh-one: {'eval' if role == 'probe' else role}, version 1, of ")
    readme = (tmp_path / "fresh-one" / "README.md").read_text()
    assert f"\n{'An' if role in ('eval', 'objective') else 'A'} {role} plugin for" in readme


@pytest.mark.slow
@pytest.mark.parametrize("role", new_plugin.SCAFFOLD_ROLES)
def test_the_tests_of_a_new_package_pass(role: str, tmp_path: Path) -> None:
    new_plugin.create_plugin_package("fresh-one", role, tmp_path / "fresh-one")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "fresh-one"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "fresh-one")]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(("name", "said"), [
    ("My-Plugin", "invalid plugin name 'My-Plugin'; use lower-case letters, digits and hyphens"),
    ("json", "a module named 'json' already exists"), ("near", "a curator named 'near' already exists"),
])
def test_a_name_that_would_not_do_is_refused(name: str, said: str, tmp_path: Path) -> None:
    run = factory(tmp_path, "new", "plugin", name, "--of", "curator")
    assert run.returncode == 64 and said in run.stderr and list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="already exists"):
        new_plugin.create_plugin_package("mine", "eval", tmp_path / "mine")


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """A file as people have them: other names, a split of its own, customers with several tickets."""
    rows = "ticket_id,customer,message,department,part\n"
    for n in range(60):
        rows += f"{n},c{n // 3},my {'card' if n % 2 else 'bill'} number {n % 50} is lost,{'ab'[n % 2]},"
        rows += f"{'test' if n % 5 == 0 else 'train'}\n"
    (tmp_path / "tickets.csv").write_text(rows)
    return tmp_path


def test_a_spec_from_data_maps_its_fields_and_says_what_it_saw(tickets: Path) -> None:
    run = factory(tickets, "new", "spec", "tickets", "--task", "classifier", "--from", "tickets.csv")
    text = (tickets / "tickets.yaml").read_text()
    (source,) = yaml.safe_load(text)["data"]["sources"]
    assert source == {
        "kind": "csv", "file": "tickets.csv", "map": {"text": "message", "label": "department"}, "id": "ticket_id",
        "group": "customer", "split": "part",
    }
    assert "#   message: text, 50 distinct, 6 words, such as \"my bill number 0 is lost\"" in text
    assert "10 duplicate texts" in text and "48 train, 12 test" in text
    assert run.returncode == 0 and factory(tickets, "check", "tickets.yaml").returncode == 0


@pytest.mark.parametrize("task", [kind.kind for kind in load_installed_registry().list_classes("task")])
def test_a_spec_of_every_task_is_whole_but_for_its_data(task: str, tmp_path: Path) -> None:
    text = new_spec.render_new_spec("mine", task, None, tmp_path / "mine.yaml", load_installed_registry())
    (tmp_path / "mine.yaml").write_text(text)
    run = factory(tmp_path, "check", "mine.yaml")
    told = [line for line in run.stderr.splitlines() if "no such file or folder" not in line]
    assert all("needs the model" in line for line in told), run.stderr


def test_data_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.xls").write_text("")
    with pytest.raises(InputError, match=r"unknown file type; supported: \.jsonl, \.csv"):
        infer_columns.summarise_record_file(tmp_path / "rows.xls")
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": "a"}) + "\nnot json\n")
    with pytest.raises(InputError, match=r"rows\.jsonl:2: not JSON"):
        infer_columns.summarise_record_file(tmp_path / "rows.jsonl")
