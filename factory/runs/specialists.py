"""The shelf: named specialists and their versions, from the journals. A version is a distinct bundle, oldest first."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.errors import InputError
from factory.runs import run_view
from factory.store.outputs import Store

LATEST, SHIPPED = "latest", "shipped"
"""Aliases that every specialist has: the newest version that is there, and the newest of those that may ship."""


@dataclass(frozen=True, slots=True)
class Version:
    """One bundle of a specialist. `number` counts from 1; `bundle` is its folder, which `gc` may have taken away."""

    name: str
    number: int
    key: str
    run: str
    verdict: str
    created: float
    bundle: Path

    @property
    def is_stored(self) -> bool:
        """Whether the bundle is still in the store."""
        return self.bundle.is_dir()


def list_versions(home: Path, name: str = "") -> list[Version]:
    """The versions of one specialist, or of all: each by the first run that finished it."""
    found: dict[tuple[str, str], Version] = {}
    counts: dict[str, int] = {}
    for run in reversed(list(run_view.iterate_newest_runs(home, brief=True))):
        key = run.stages["bundle"].key if "bundle" in run.stages else ""
        reached = run.end is not None and run.end.verdict and run.end.bundle
        if not reached or not key or (name and run.name != name) or (run.name, key) in found:
            continue
        counts[run.name] = counts.get(run.name, 0) + 1
        place = Store(home).locate_output("bundle", key).output
        found[run.name, key] = Version(run.name, counts[run.name], key, run.id, run.verdict, run.started, place)
    return list(found.values())


def find_version(home: Path, text: str) -> Version:
    """The version that `NAME` (the newest that is there), `NAME@NUMBER` or `NAME@ALIAS` means.

    Raises InputError for none.
    """
    name, _, which = text.partition("@")
    known = list_versions(home)
    mine = [v for v in known if v.name == name]
    if not mine:
        raise InputError(_describe_unknown_specialist(name, sorted({v.name for v in known})))
    if which:
        named = collect_aliases(home, mine)
        mine = [v for v in mine if str(v.number) == which.removeprefix("v") or which in named.get(v.key, ())]
        if not mine:
            words = ", ".join(sorted({word for each in named.values() for word in each})) or "no alias"
            count = sum(v.name == name for v in known)
            raise InputError(f"{name} has no version {which!r}; it has 1 to {count}, {words}")
    there = [v for v in mine if v.is_stored]
    if not there:
        raise InputError(f"the bundle of {text} was cleared from the store; build it again")
    return there[-1]


def collect_aliases(home: Path, mine: Sequence[Version]) -> dict[str, tuple[str, ...]]:
    """Key of a bundle → what its version is called; `mine` are the versions of one specialist, oldest first."""
    there = [v for v in mine if v.is_stored]
    shipped = [v for v in there if v.verdict == "SHIP"]
    found: dict[str, tuple[str, ...]] = {}
    for word, versions_of in ((LATEST, there), (SHIPPED, shipped)):
        for version in versions_of[-1:]:
            found[version.key] = (*found.get(version.key, ()), word)
    given = _read_assigned_aliases(home).get(mine[0].name, {}) if mine else {}
    for word, key in sorted(given.items()):
        found[key] = (*found.get(key, ()), word)
    return found


def assign_alias(home: Path, text: str, alias: str) -> Version:
    """Call the version that `text` means by an alias, which another version of the specialist then no longer has.

    Raises InputError for a word that is no alias.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_.-]*", alias) or re.fullmatch(r"v\d+", alias) or alias in (LATEST, SHIPPED):
        raise InputError(f"{alias!r} is no alias: small letters and digits, no version, not {LATEST} or {SHIPPED}")
    version = find_version(home, text)
    given = {name: dict(words) for name, words in _read_assigned_aliases(home).items()}
    given.setdefault(version.name, {})[alias] = version.key
    mine = _get_aliases_path(home).with_name(f"aliases.{os.getpid()}")
    mine.write_text(json.dumps(given, sort_keys=True, indent=1) + "\n")
    mine.replace(_get_aliases_path(home))
    return version


def _get_aliases_path(home: Path) -> Path:
    return home / "aliases.json"


def _read_assigned_aliases(home: Path) -> Mapping[str, Mapping[str, str]]:
    """Specialist → alias → key of the bundle, as people gave them."""
    try:
        found = json.loads(_get_aliases_path(home).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def resolve_bundle(home: Path, text: str) -> Path:
    """The bundle folder that `NAME`, `NAME@NUMBER` or a path to a bundle means."""
    path = Path(text).expanduser()
    if (path / "factory" / "manifest.json").is_file():
        return path
    return find_version(home, text).bundle


def _describe_unknown_specialist(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none; build one first'}"
    return f"no specialist {name!r}; {hint}"
