"""Bundles that somebody changed and sealed again: a digest does not make a pickle safe."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_parts
from safetensors.numpy import load_file, save_file

from factory import bundle
from factory.bundle.manifest import write_manifest
from factory.cli import run_command_line as factory
from factory.errors import BAD_INPUT
from factory.stages import bundle as bundle_stage

ADAPTER = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny_parts.importable()
    out = tmp_path_factory.mktemp("built") / "bundle"
    bundle_stage.run(tiny_parts.job(tiny_parts.stages(tmp_path_factory.mktemp("stages")), out))
    return out


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "copy"))


def seal(folder: Path, **changed: Any) -> None:
    facts = {k: v for k, v in bundle.load_manifest(folder).items() if k not in ("files", "digest", "schema")}
    write_manifest(folder, {**facts, **changed})


def tensors(change: Callable[[dict[str, Any], str], object]) -> Callable[[Path], object]:
    """Change the first factor of the adapter."""
    def apply(folder: Path) -> None:
        found = load_file(folder / ADAPTER)
        change(found, next(name for name in sorted(found) if ".lora_A." in name))
        save_file({name: np.ascontiguousarray(value) for name, value in found.items()}, folder / ADAPTER)

    return apply


def header(text: bytes, length: int | None = None) -> Callable[[Path], object]:
    start = (len(text) if length is None else length).to_bytes(8, "little")
    return lambda folder: (folder / ADAPTER).write_bytes(start + text)


def written(name: str, data: bytes) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return write


def drop_first(found: dict[str, Any], name: str) -> None:
    found[name] = found[name][:, 1:]


def spoil(value: float) -> Callable[[dict[str, Any], str], None]:
    return lambda found, name: found[name].__setitem__((0, 0), value)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickle": (written("model.pkl", pickle.dumps({})), "model.pkl: is of a kind that no bundle has"),
    "pickled weights": (written("pytorch_model.bin", pickle.dumps({})), "pytorch_model.bin: is of a kind"),
    "pickle called text": (written("notes.txt", pickle.dumps({"a": 1})), "notes.txt: looks like code or a pickle"),
    "python": (written("modeling.py", b"import os\n"), "modeling.py: is of a kind"),
    "script": (written("run.sh", b"#!/bin/sh\n"), "run.sh: is of a kind"),
    "script called text": (written("run.txt", b"#!/bin/sh\n"), "run.txt: looks like code"),
    "no JSON": (written("more.json", b"{"), "more.json: is not JSON"),
    "deep JSON": (written("more.json", b"[" * 200_000), "more.json: is not JSON"),
    "NaN": (tensors(spoil(float("nan"))), "has values that are not finite"),
    "infinity": (tensors(spoil(float("inf"))), "has values that are not finite"),
    "transposed": (tensors(lambda found, name: found.update({name: found[name].T})), "does not fit lora_B"),
    "cut": (tensors(drop_first), "in all other layers"),
    "missing": (tensors(lambda found, name: found.pop(name.replace("lora_A", "lora_B"))), "does not fit lora_B"),
    "huge header": (header(b"{}", 1 << 62), "has a header of"),
    "odd header": (header(b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}'), "no sane shape"),
    "no tensor": (header(b'{"a": 7}'), "not a tensor"),
    "many values": (
        header(b'{"a": {"dtype": "F32", "shape": [999999999999], "data_offsets": [0, 4]}}'), "not that of its bytes",
    ),
    "cut off": (header(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'), "is cut off"),
    "empty": (written(ADAPTER, b""), "has a header of"),
    "golden rows": (written("factory/golden.jsonl", b"{}\n"), "digests.golden is not that of the file"),
}


@pytest.mark.parametrize("way", HOSTILE)
def test_a_resealed_bundle_is_seen_through(copied: Path, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    change, problem = HOSTILE[way]
    change(copied)
    seal(copied)
    assert factory(["verify", str(copied)]) == BAD_INPUT
    said = capsys.readouterr()
    assert problem in said.out and "Traceback" not in said.err
    assert len(said.out.splitlines()) == 1 + (way == "transposed"), "which also differs from the other layer"


def test_links_pipes_and_names_that_lead_out_are_refused(copied: Path, tmp_path: Path) -> None:
    os.mkfifo(copied / "pipe.txt")
    shutil.move(copied / "LICENSES.md", tmp_path / "outside.md")
    (copied / "LICENSES.md").symlink_to(tmp_path / "outside.md")
    (copied / "more").symlink_to(tmp_path)
    manifest = bundle.load_manifest(copied)
    files = {**manifest["files"], "../outside.md": "0", "/etc/passwd": "0", "a\\b": "0", "pipe.txt": "0"}
    (copied / "factory" / "manifest.json").write_text(json.dumps({**manifest, "files": files}))
    said = bundle.verify_bundle(copied)
    for name in ("'../outside.md': is not a path", "'/etc/passwd': is not a path", r"'a\\b': is not a path"):
        assert any(line.startswith(name) for line in said), name
    assert "LICENSES.md: is a link" in said and "more: was added" in said and "pipe.txt: is not a regular file" in said


@pytest.mark.parametrize("text", [
    b"", b"[]", b"\xff\xfe", b"[" * 200_000, b'{"files": []}', b'{"files": {"a": 1}}', b'{"schema": 1, "files": {}}',
    b'{"schema": 1, "files": {}, "digest": "\\ud800"}', b'{"schema": 1, "files": {}, "x": NaN}',
], ids=range(9))
def test_an_odd_manifest_is_one_line_and_no_traceback(
    copied: Path, text: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied / "factory" / "manifest.json").write_bytes(text)
    assert factory(["verify", str(copied)]) == BAD_INPUT
    assert "Traceback" not in capsys.readouterr().err


def test_scripts_of_targets_and_alike_layers_are_what_they_should_be(copied: Path) -> None:
    written("exports/vllm/serve.sh", b"#!/bin/sh\nvllm serve\n")(copied)
    seal(copied)
    assert bundle.verify_bundle(copied) == []


def test_a_folder_of_the_specialists_name_does_not_hide_it(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from types import SimpleNamespace

    from factory.cli.commands import verify_

    (tmp_path / "icd").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verify_, "find_version", lambda home, text: SimpleNamespace(bundle=copied))
    assert factory(["verify", "icd"]) == 0
    assert f"{copied}: all files match" in capsys.readouterr().err
