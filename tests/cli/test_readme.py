"""What the READMEs show is true: specs check, commands exist with those options, the plugin works."""

import importlib
import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from places import ROOT
from readme_parts import blocks, commands

from factory.api import Answer, AnswerJob, Contender, Plugin, Provenance, Row
from factory.registry.registry import Registry
from factory.spec.layers import resolve_spec

SPECS = sorted((ROOT / "specs").glob("*.yaml"))


@pytest.mark.parametrize("text", [b for b in blocks("README.md", "yaml") if "apiVersion" in b])
def test_every_spec_in_the_readme_checks(text: str, tmp_path: Path) -> None:
    for name in ("corpus", "queries", "qrels"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": "1", "text": "x"}) + "\n")
    (tmp_path / "spec.yaml").write_text(text)
    assert resolve_spec(tmp_path / "spec.yaml", registry=Registry.load()).spec.apiVersion == "factory/v1"


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.name)
def test_every_spec_of_the_repository_checks_under_every_profile(spec: Path) -> None:
    for profile in ("", "smoke", "full"):
        assert resolve_spec(spec, profile=profile, registry=Registry.load()).spec.name


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_readme_exists_with_its_options(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    command = importlib.import_module(f"factory.cli.commands.{name}_").command
    with click.Context(command) as context:
        command.parse_args(context, arguments)


def test_the_readme_spec_is_the_demo_spec() -> None:
    import yaml

    shown = yaml.safe_load(blocks("README.md", "yaml")[0])
    assert shown == yaml.safe_load((ROOT / "specs" / "reranker.yaml").read_text())


def test_the_plugin_of_the_plugins_readme_answers() -> None:
    names: dict[str, object] = {}
    exec(blocks("plugins/README.md", "python")[0], names)
    (kind,) = names["factory_plugins"]()  # type: ignore[operator]
    assert issubclass(kind, Contender)
    assert Registry.from_classes([kind]).find("contender", "backwards") is kind
    row = Row("q", {"candidates": ["a", "b", "c"]}, Provenance("here"))
    job = AnswerJob.__new__(AnswerJob)
    object.__setattr__(job, "rows", [row])
    assert list(kind().answer(job)) == [Answer("q", [0.0, 1.0, 2.0])]
    assert tomllib.loads(blocks("plugins/README.md", "toml")[0])["project"]["entry-points"]["factory.plugins"]


def test_makefile_targets_of_the_readme_exist() -> None:
    wanted = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text()))
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert wanted <= there


def test_every_plugin_class_is_documented() -> None:
    for kind in Registry.load().list_classes():
        assert issubclass(kind, Plugin)
        assert kind.__doc__ and kind.kind, kind
        undescribed = [name for name, field in kind.model_fields.items() if not field.description]
        assert kind.__module__.startswith("toy") or undescribed == [], (kind, undescribed)
