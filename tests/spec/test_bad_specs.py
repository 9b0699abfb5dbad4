"""Every broken spec beside the exact words that it gets; run as a program, this file writes the words anew."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from factory.errors import BAD_INPUT, SpecError
from factory.registry.registry import Registry
from factory.spec.layers import resolve_spec
from factory.yaml import read_spec_file

HOSTILE_CALLS, HUGE_CALLS = 10_000, 100_000  # a file read to its end would take millions
FOLDER = Path(__file__).parent / "bad_specs"
PACKAGES = ("contenders", "curators", "rerank", "sources", "synth", "targets")
SPECS = sorted(path.name for path in FOLDER.glob("*.yaml"))
HUGE = {
    "flow": "[" * 500_000,
    "keys": "{" * 500_000,
    "block": "- " * 500_000,
    "explicit-keys": "? " * 500_000,
    "items": "a: [" + "1," * 500_000 + "]",
    "tags": "a: [" + "!x 1," * 150_000 + "]",
    "fields": "\n".join(f"k{number}: 1" for number in range(80_000)),
    "one-word": "a: " + "9" * 1_000_000,
    "blank": " " * 1_000_000,
    "too-large": "# \n" * 1_000_000,
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return shipped()


def shipped() -> Registry:
    modules = [importlib.import_module(f"factory_{name}") for name in PACKAGES]
    return Registry.from_classes(kind for module in modules for kind in module.factory_plugins())


def words(name: str, registry: Registry) -> str:
    with pytest.raises(SpecError) as caught:
        resolve_spec(Path(name), registry=registry)
    assert caught.value.exit_code == BAD_INPUT
    return f"{caught.value}\n"


def test_there_are_thirty_and_more() -> None:
    assert len([name for name in SPECS if name[0].isdigit()]) >= 30


@pytest.mark.parametrize("name", SPECS)
def test_a_broken_spec_gets_exactly_these_words(
    name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)
    assert words(name, registry) == Path(name).with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in SPECS if name.startswith("hostile")])
def test_hostile_yaml_is_refused_with_little_work(
    name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)
    assert count_calls(lambda: words(name, registry)) < HOSTILE_CALLS


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_file_is_left_before_most_of_it_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    path.write_text(HUGE[name])

    def attempt() -> None:
        with suppress(SpecError):
            read_spec_file(path)

    assert count_calls(attempt) < HUGE_CALLS


def count_calls(attempt: Callable[[], object]) -> int:
    """Calls of Python and C functions: every event of the YAML parser is one, on a machine of any speed."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        attempt()
    finally:
        sys.setprofile(None)
    return calls


if __name__ == "__main__":
    import os

    os.chdir(FOLDER)
    for spec in SPECS:
        Path(spec).with_suffix(".txt").write_text(words(spec, shipped()), encoding="utf-8")
