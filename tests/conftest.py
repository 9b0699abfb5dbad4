"""A project folder with the toy task in it, whose plugin package is found as any stranger's is."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.plugins import installed

TOY = Path(__file__).parent / "plugin_packages" / "toy"
SPEC = """\
apiVersion: factory/v1
name: toy
task: toy
models:
  student: ./base
data:
  sources:
    - {kind: labelled, file: rows.jsonl}
  split: {test: 60, validation: 10}
  leakage: {near: 0.95}
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder: a spec, rows that counting words answers well, and a base that nobody needs to load."""
    installed.cache_clear()  # what is on the path changes, in this process too
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
    installed.cache_clear()


def rows(count: int = 160, seed: int = 3) -> list[dict[str, str]]:
    """Texts of five words, three of which belong to their label."""
    draw = random.Random(seed)
    words = {label: [f"{label}{n}" for n in range(40)] for label in ("cat", "dog", "owl")}
    noise = [f"word{n}" for n in range(200)]
    made = []
    for number in range(count):
        label = draw.choice(sorted(words))
        text = draw.sample([*draw.sample(words[label], 3), *draw.sample(noise, 3), f"n{number}"], 7)
        made.append({"text": " ".join(text), "label": label, "group": f"g{number // 2}"})
    return made


def resolved(folder: Path, *overrides: str, profile: str = ""):
    """The toy's spec, resolved against what is installed and on the path."""
    from factory.plugins import Registry
    from factory.resolve import resolve

    registry = Registry.load()
    return resolve(folder / "toy.yaml", profile=profile, overrides=overrides, registry=registry), registry


@pytest.fixture
def tiny_retrieval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spec of a reranker's project with a random base of 32 dimensions and a corpus of forty documents."""
    from tiny_retrieval import project

    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "project").mkdir()
    return project(tmp_path / "project")
