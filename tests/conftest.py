"""Where stories begin: the toy's project, whose plugin package is found as any stranger's is; a corpus; a home."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_project import SPEC, TOY, rows

from factory.registry.registry import load_installed_registry


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder: a spec, rows that counting words answers well, and a base that nobody needs to load."""
    load_installed_registry.cache_clear()  # what is on the path changes, in this process too
    monkeypatch.syspath_prepend(str(TOY))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOY), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "config.json").write_text(json.dumps({"model_type": "toy", "architectures": ["Toy"]}))
    (folder / "base" / "model.safetensors").write_bytes(b"")
    (folder / "toy.yaml").write_text(SPEC)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    yield folder
    load_installed_registry.cache_clear()


@pytest.fixture
def tiny_retrieval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spec of a reranker's project with a random base of 32 dimensions and a corpus of forty documents."""
    from tiny_retrieval import project

    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "project").mkdir()
    return project(tmp_path / "project")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three runs, which no story changes."""
    from tui_parts import home_of_three

    return home_of_three(tmp_path_factory.mktemp("three"))
