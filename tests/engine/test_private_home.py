"""What a home holds is for its owner, and paths in a bundle are those that its rows speak of."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_builds as builds

from factory.engine.build import create_run_folder
from factory.store.fsync import get_file_mode
from factory.store.outputs import Store
from factory.store.paths import create_home


def get_mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o002, 0o077], ids=lambda umask: f"umask {umask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_home_is_private_and_a_shared_one_is_its_groups(umask: int, tmp_path: Path) -> None:
    for name, mode in (("new", None), ("found", 0o755), ("shared", 0o775)):
        if mode is not None:
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(mode)
        create_home(tmp_path / name)
    below = ("store", "runs", "versions", "cache", "cache/calls")
    assert get_mode(tmp_path / "new") == 0o700 and get_mode(tmp_path / "found") == 0o755
    assert {get_mode(tmp_path / home / name) for home in ("new", "found") for name in below} == {0o700}
    assert {get_mode(tmp_path / "shared" / name) for name in below} == {0o770 & ~umask}


def test_stored_files_follow_the_umask_whatever_wrote_them(umask: int, tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("train", "k1")
    out = store.begin(place)
    for name, mode in (("open.json", 0o666), ("private.safetensors", 0o600)):
        (out / name).write_text("{}")
        (out / name).chmod(mode)
    store.commit(place, {})
    assert {get_mode(path) for path in place.output.iterdir()} == {0o666 & ~umask} and get_file_mode() == 0o666 & ~umask


def test_rows_and_spec_may_speak_of_the_project_but_nothing_else_of_the_bundle(toy: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (toy / "rows.jsonl").read_text().splitlines()]
    for line in lines:
        line["text"] += f" {toy}/build.log {tmp_path}/home"
    (toy / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    spec = toy / "toy.yaml"
    spec.write_text(spec.read_text().replace("file: rows.jsonl", f"file: {toy}/rows.jsonl"))
    code, said = builds.build(spec, tmp_path / "home")
    assert code in (0, 2, 3), said
    builds.digest(tmp_path / "home")
    assert get_mode(tmp_path / "home") == 0o700 and get_mode(tmp_path / "home" / "store") == 0o700


def test_two_runs_of_one_moment_have_folders_of_their_own(tmp_path: Path) -> None:
    runs = [create_run_folder(tmp_path, "icd", 1_795_312_000.5) for _ in range(3)]
    assert runs == ["20261122-014640-icd-8000", "20261122-014640-icd-8001", "20261122-014640-icd-8002"]
