"""Specialists with their versions and aliases. Each distinct bundle in the journals is a version, oldest first."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.bundle.manifest import load_manifest
from factory.errors import FactoryError, InputError
from factory.events import Verdict
from factory.runs.run_index import RunSummary, summarise_journals
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import find_run
from factory.store.journal import list_journals
from factory.store.outputs import Store

ALIASES_FILE = "aliases.json"
LATEST, SHIPPED = "latest", "shipped"
"""Built-in aliases: the newest stored version, and the newest stored one that the gate lets ship."""


@dataclass(frozen=True, slots=True)
class Version:
    """One bundle of a specialist. `number` counts from 1; `bundle` is its folder, which `gc` may have deleted."""

    name: str
    number: int
    key: str
    run: str
    verdict: str
    created: float
    bundle: Path

    @property
    def is_stored(self) -> bool:
        return self.bundle.is_dir()


@dataclass(frozen=True, slots=True)
class SpecialistEntry:
    """One version: its aliases, the bundle's size (0 when it is gone), its manifest ({} when unreadable)."""

    version: Version
    aliases: tuple[str, ...]
    size_bytes: int
    manifest: Mapping[str, Any]

    @property
    def label(self) -> str:
        """`NAME@2`, as all commands take it."""
        return f"{self.version.name}@{self.version.number}"


def list_versions(home: Path, runs: Iterable[RunSummary] | None = None) -> list[Version]:
    """Return the versions of all specialists, oldest first, each with the first run that finished it. Smoke builds are
    no versions.

    `runs` are those of the home, newest first; by default their journals are read.
    """
    versions: dict[tuple[str, str], Version] = {}
    counts: Counter[str] = Counter()
    # Oldest first, so that versions are numbered in the order in which they were built.
    for run in reversed(list(summarise_journals(home, list_journals(home)[::-1]) if runs is None else runs)):
        if not run.verdict or not run.bundle or run.is_smoke or (run.name, run.bundle) in versions:
            continue
        counts[run.name] += 1
        folder = Store(home).locate_output("bundle", run.bundle).output
        version = Version(run.name, counts[run.name], run.bundle, run.id, run.verdict, run.started, folder)
        versions[run.name, run.bundle] = version
    return list(versions.values())


def list_specialists(home: Path, runs: Iterable[RunSummary]) -> list[SpecialistEntry]:
    """Return all versions by name, newest first; `runs` as in `list_versions`."""
    versions, entries = list_versions(home, runs), []
    for name in sorted({version.name for version in versions}):
        siblings = [version for version in versions if version.name == name]
        aliases = collect_aliases(home, siblings)
        entries += [_make_entry(version, aliases.get(version.key, ())) for version in reversed(siblings)]
    return entries


def _make_entry(version: Version, aliases: tuple[str, ...]) -> SpecialistEntry:
    try:
        files = [path.lstat() for path in version.bundle.rglob("*") if path.is_file() and not path.is_symlink()]
    except OSError:
        files = []
    try:
        manifest: Mapping[str, Any] = load_manifest(version.bundle)
    except (FactoryError, OSError, ValueError):
        manifest = {}
    return SpecialistEntry(version, aliases, sum(file.st_size for file in files), manifest)


def find_version(home: Path, text: str) -> Version:
    """Return the version `NAME` (the newest stored one), `NAME@NUMBER` or `NAME@ALIAS`.

    Raises InputError if there is none.
    """
    name, _, label = text.partition("@")
    known = list_versions(home)
    versions = [version for version in known if version.name == name]
    if not versions:
        names = sorted({version.name for version in known})
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none; build one first'}"
        if any(run.name == name and run.is_smoke for run in summarise_journals(home, list_journals(home))):
            hint = "it has smoke builds only, which are no versions; build it without --profile smoke"
        raise InputError(f"no specialist {name!r}; {hint}")
    if label:
        aliases, count = collect_aliases(home, versions), len(versions)
        versions = [v for v in versions if str(v.number) == label.removeprefix("v") or label in aliases.get(v.key, ())]
        if not versions:
            known_aliases = ", ".join(sorted({alias for names in aliases.values() for alias in names})) or "no alias"
            numbers = f"1 to {count}" if count > 1 else "1"
            raise InputError(f"{name} has no version {label!r}; it has {numbers}, {known_aliases}")
    stored = [version for version in versions if version.is_stored]
    if not stored:
        raise InputError(f"the bundle of {text} was deleted from the store; build it again")
    return stored[-1]


def collect_aliases(home: Path, versions: Sequence[Version]) -> dict[str, tuple[str, ...]]:
    """Return bundle key → aliases, from the versions of one specialist, oldest first."""
    stored = [version for version in versions if version.is_stored]
    shipped = [version for version in stored if Verdict.from_word(version.verdict).ships]
    pairs = [(alias, latest[-1].key) for alias, latest in ((LATEST, stored), (SHIPPED, shipped)) if latest]
    pairs += sorted(_read_assigned_aliases(home).get(versions[0].name, {}).items()) if versions else []
    aliases: dict[str, tuple[str, ...]] = {}
    for alias, key in pairs:
        aliases[key] = (*aliases.get(key, ()), alias)
    return aliases


def assign_alias(home: Path, text: str, alias: str) -> Version:
    """Assign an alias to the version that `text` names, and take it from any other version of the specialist.

    Raises InputError for an invalid or reserved alias.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_.-]*", alias) or re.fullmatch(r"v\d+", alias) or alias in (LATEST, SHIPPED):
        raise InputError(
            f"{alias!r} is not a valid alias; start with a lower-case letter, then use letters, digits and _.- "
            f"(not {LATEST}, {SHIPPED}, or a version such as v2)"
        )
    version = find_version(home, text)
    aliases = {name: dict(keys) for name, keys in _read_assigned_aliases(home).items()}
    aliases.setdefault(version.name, {})[alias] = version.key
    # Replaced by one rename, so that a reader never sees half a file.
    temporary = home / f"aliases.{os.getpid()}"
    temporary.write_text(json.dumps(aliases, sort_keys=True, indent=1) + "\n")
    temporary.replace(home / ALIASES_FILE)
    return version


def _read_assigned_aliases(home: Path) -> Mapping[str, Mapping[str, str]]:
    """Return specialist → assigned alias → bundle key."""
    try:
        aliases = json.loads((home / ALIASES_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return aliases if isinstance(aliases, dict) else {}


def find_run_outputs(home: Path, text: str) -> RunOutputs:
    """Return the outputs of the run that `text` names: as for `find_run`, or `NAME@VERSION`. Raises InputError."""
    return RunOutputs(home, find_run(home, find_version(home, text).run if "@" in text else text))


def resolve_bundle(home: Path, text: str) -> Path:
    """Return the bundle folder of `NAME`, `NAME@NUMBER`, `NAME@ALIAS`, or a path to a bundle."""
    path = Path(text).expanduser()
    return path if (path / "factory" / "manifest.json").is_file() else find_version(home, text).bundle
