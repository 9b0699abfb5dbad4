"""The same spec gives the same bundle, byte for byte: under any hash seed, in any folder, in any timezone."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import toy_builds as builds

from factory.events import Measured
from factory.store.journal import list_journals

WORLDS = (("0", "UTC"), ("1", "Asia/Tokyo"), ("4242", "America/Lima"))


def digests(spec: Path, tmp_path: Path) -> set[str]:
    """The digests of builds that differ in hash seed, timezone, working directory, home, and the project's folder."""
    said = set()
    for seed, zone in WORLDS:
        place = tmp_path / f"place {seed}"
        shutil.copytree(spec.parent, place)
        cwd = {"0": place, "1": tmp_path, "4242": Path("/")}[seed]
        home = tmp_path / f"home-{seed}"
        builds.build(place / spec.name, home, cwd=cwd, PYTHONHASHSEED=seed, TZ=zone)
        said.add(builds.digest(home))
    return said


def test_three_worlds_give_one_bundle(toy: Path, tmp_path: Path) -> None:
    assert len(digests(toy / "toy.yaml", tmp_path)) == 1


def test_another_seed_or_row_gives_another_bundle(toy: Path, tmp_path: Path) -> None:
    first = builds.build(toy / "toy.yaml", tmp_path / "home")[0], builds.digest(tmp_path / "home")
    (toy / "rows.jsonl").write_text("".join((toy / "rows.jsonl").read_text().splitlines(keepends=True)[:-1]))
    second = builds.build(toy / "toy.yaml", tmp_path / "home")[0], builds.digest(tmp_path / "home")
    assert first[0] == second[0] == 0 and first[1] != second[1]


def test_what_a_stage_wrote_names_no_place_and_no_time(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert builds.build(toy / "toy.yaml", home)[0] == 0
    for file in (home / "store").glob("*/*/output/**/*"):
        text = file.read_bytes() if file.is_file() else b""
        assert os.fsencode(tmp_path) not in text, file


@pytest.mark.slow
def test_three_worlds_give_one_bundle_with_a_real_objective(tiny_retrieval: Path, tmp_path: Path) -> None:
    assert len(digests(tiny_retrieval, tmp_path)) == 1


@pytest.mark.slow
def test_training_that_is_killed_half_way_gives_the_same_bundle(tiny_retrieval: Path, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert builds.build(tiny_retrieval, whole)[0] in (0, 2, 3)
    assert builds.faulty(tiny_retrieval, halves, "step:17")[0] == -signal.SIGKILL
    assert builds.build(tiny_retrieval, halves)[0] in (0, 2, 3)
    assert builds.digest(halves) == builds.digest(whole)
    taken = [event.step for event in builds.events(halves) if isinstance(event, Measured)]
    assert len(list_journals(halves)) == 2 and 1 < min(taken) <= 18
