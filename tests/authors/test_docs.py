"""The pages of all kinds come from their classes, and the spec on each page is one that `check` accepts."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from places import ROOT

from factory.api import Plugin
from factory.registry import new_plugin
from factory.registry.registry import Registry, load_installed_registry
from factory.report.docs.example_specs import build_example_spec, is_valid_spec
from factory.report.docs.markdown_pages import build_kind_page

KINDS = load_installed_registry().list_classes()
TUTORIAL = ROOT / "templates" / "docs" / "tutorial.md"


@cache
def registry() -> Registry:
    return load_installed_registry()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.role}-{kind.kind}")
def test_the_example_of_a_kind_names_it_and_checks(kind: type[Plugin]) -> None:
    text = build_example_spec(kind, registry())
    assert text, f"no example: put the fields of '{kind.role} {kind.kind}' into templates/docs/examples.yaml"
    assert re.search(rf"(kind: |\[|- |, |: ){re.escape(kind.kind)}\b", text)
    assert is_valid_spec(yaml.safe_load(text), registry())


def test_a_page_tells_fields_with_type_default_and_meaning() -> None:
    text = build_kind_page(registry().find("objective", "cross-encoder"), registry())
    assert "| `negatives` | int, at least 1 | `7` | maximum number of mined negatives per row |" in text
    assert "- columns read: `query, relevant, candidates, negatives, signals`" in text
    assert text.startswith("# cross-encoder\n\n*objective, version 1, of specialist-factory")


def test_one_command_writes_the_site_and_every_link_in_it_leads_somewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "factory", "docs", str(tmp_path / "site")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(tmp_path / "site" / "index.html")
    files = {file.name: file.read_text("utf-8") for file in (tmp_path / "site").iterdir()}
    assert {"index.html", "tutorial.html", "eval.html", "eval-ranking.html"} <= files.keys()
    for name, text in files.items():
        lost = [link for link in re.findall(r'href="([\w-]+\.html)', text) if link not in files]
        assert not lost, (name, lost)
    assert "<table>" in files["objective-cross-encoder.html"] and "torch" not in run.stderr


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    command = [sys.executable, "-m", "factory", "docs", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 64 and "contains 'notes.txt'" in run.stderr


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL))
def test_the_specs_of_the_tutorial_check(text: str, tmp_path: Path) -> None:
    new_plugin.create_plugin_package("ticket-cost", "eval", tmp_path / "ticket-cost")
    (tmp_path / "rows.jsonl").touch()
    (tmp_path / "tickets.yaml").write_text(text)
    command = [sys.executable, "-m", "factory", "check", "tickets.yaml", "--plugins", "ticket-cost"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stdout == "tickets.yaml: valid (tickets, task classifier)\n", run.stderr
