"""A version's number is given once: whatever becomes of clocks, journals, files and other processes."""

import json
import multiprocessing
from pathlib import Path

import pytest
from fake_runs import fake_run

from factory.cli import run_command_line
from factory.runs.specialists import assign_alias, collect_aliases, find_version, list_versions
from factory.store.version_registry import (
    VersionFacts,
    list_entry_damage,
    list_registered,
    read_aliases,
    register_alias,
)
from factory.store.version_registry import register_versions as register
from factory.tui.delete_runs import delete_runs


def numbers(home: Path) -> dict[str, int]:
    return {version.run[-4:]: version.number for version in list_versions(home)}


def test_a_clock_set_back_gives_the_next_number_all_the_same(tmp_path: Path) -> None:
    fake_run(tmp_path, "20261122-010000-icd-aaaa", at=2000.0, salt="first")
    assert numbers(tmp_path) == {"aaaa": 1}
    fake_run(tmp_path, "20161122-010000-icd-bbbb", at=1000.0, salt="second")
    assert numbers(tmp_path) == {"aaaa": 1, "bbbb": 2}
    assert find_version(tmp_path, "icd@latest").number == 2


def test_the_number_of_a_deleted_run_is_never_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    fake_run(tmp_path, "20261120-010000-icd-aaaa", at=1000.0, salt="first")
    fake_run(tmp_path, "20261121-010000-icd-bbbb", at=2000.0, salt="second")
    bundle = find_version(tmp_path, "icd@2").key
    assert delete_runs(tmp_path, ["20261121-010000-icd-bbbb"])
    fake_run(tmp_path, "20261122-010000-icd-cccc", at=3000.0, salt="third")
    assert numbers(tmp_path) == {"aaaa": 1, "bbbb": 2, "cccc": 3}
    assert find_version(tmp_path, "icd@2").key == bundle
    # What its journal knew is gone; the version is still listed.
    assert run_command_line(["specialists", "icd"]) == 0 and "icd@2" in capsys.readouterr().out
    assert run_command_line(["try", "icd@2", "--query", "x"]) == 64
    assert "of its build" in capsys.readouterr().err


def test_a_torn_entry_keeps_its_number_and_hurts_no_other(tmp_path: Path) -> None:
    for number, run in enumerate(("aaaa", "bbbb", "cccc"), 1):
        fake_run(tmp_path, f"2026112{number}-010000-icd-{run}", at=1000.0 * number, salt=run)
    found = {version.number: version for version in list_versions(tmp_path)}
    (entry,) = (tmp_path / "versions" / "icd").glob("v000002.*")
    for content in (b"", entry.read_bytes()[:9], b"[1]\n", b'{"run": 7, "verdict": "x", "created": 1e999}'):
        entry.write_bytes(content)
        assert {version.number: version for version in list_versions(tmp_path)} == found
        assert [line for entry in list_registered(tmp_path) for line in list_entry_damage(entry)] == [
            "versions/icd/v000002: run, verdict and time of the version are unreadable"
        ]
    delete_runs(tmp_path, ["20261122-010000-icd-bbbb"])
    assert [(v.number, v.key) for v in list_versions(tmp_path)] == [(n, v.key) for n, v in found.items()]
    assert register(tmp_path, "icd", {"new": VersionFacts()}) == {"new": 4}


def test_a_home_that_can_not_be_written_numbers_what_an_older_factory_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, run in enumerate(("aaaa", "bbbb"), 1):
        fake_run(tmp_path, f"2026112{number}-010000-icd-{run}", at=1000.0 * number, salt=run)
    (tmp_path / "versions").write_text("in the way")
    assert numbers(tmp_path) == {"aaaa": 1, "bbbb": 2}
    (tmp_path / "versions").unlink()
    assert numbers(tmp_path) == {"aaaa": 1, "bbbb": 2} and (tmp_path / "versions" / "icd").is_dir()


def test_aliases_of_an_older_factory_stay_and_yield_to_new_ones(tmp_path: Path) -> None:
    fake_run(tmp_path, "20261120-010000-icd-aaaa", at=1000.0, salt="first")
    fake_run(tmp_path, "20261121-010000-icd-bbbb", at=2000.0, salt="second")
    first, second = (version.key for version in list_versions(tmp_path))
    (tmp_path / "aliases.json").write_text(json.dumps({"icd": {"production": first, "canary": first}}))
    assert find_version(tmp_path, "icd@production").number == 1
    assign_alias(tmp_path, "icd@2", "production")
    assert read_aliases(tmp_path, "icd") == {"production": second, "canary": first}
    (tmp_path / "aliases.json").write_text('{"icd": {"prod')  # torn: nothing depends on it any more
    assert read_aliases(tmp_path, "icd") == {"production": second, "canary": first}
    assert "production" in collect_aliases(tmp_path, list_versions(tmp_path))[second]


def claim(home: Path, worker: int) -> list[int]:
    given = [register(home, "icd", {f"{worker}-{n}": VersionFacts()})[f"{worker}-{n}"] for n in range(5)]
    for n in range(5):
        register_alias(home, "icd", f"alias-{worker}-{n}", f"{worker}-{n}")
    register_alias(home, "icd", "production", f"{worker}-4")
    return given


def test_eight_processes_at_once_share_no_number_and_lose_no_alias(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        given = pool.starmap(claim, [(tmp_path, worker) for worker in range(8)])
    assert sorted(number for numbers in given for number in numbers) == list(range(1, 41))
    aliases = read_aliases(tmp_path, "icd")
    assert aliases.pop("production") in {f"{worker}-4" for worker in range(8)}
    assert aliases == {f"alias-{worker}-{n}": f"{worker}-{n}" for worker in range(8) for n in range(5)}


def test_a_name_is_a_folder_of_its_own_whatever_is_in_it(tmp_path: Path) -> None:
    register(tmp_path, "../../evil", {"k/../e.y": VersionFacts("run", "SHIP", 1.0)})
    assert [path.name for path in tmp_path.iterdir()] == ["versions"]
    assert [path.parent.parent for path in tmp_path.rglob("v*.json")] == [tmp_path / "versions"]
    (entry,) = list_registered(tmp_path)
    assert (entry.name, entry.number, entry.key) == ("../../evil", 1, "k/../e.y")
