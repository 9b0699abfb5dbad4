"""Specialists with their versions and aliases. Each distinct bundle that a run has finished is a version."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.bundle.delivered import find_exporting_contender
from factory.bundle.manifest import find_manifest
from factory.errors import InputError
from factory.events import Verdict
from factory.runs.run_index import RunSummary, summarise_journals
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import RunView, find_run, read_run
from factory.store.journal import JOURNAL_FILE, list_journals
from factory.store.outputs import Store
from factory.store.version_registry import (
    RegisteredVersion,
    VersionFacts,
    list_registered,
    read_aliases,
    register_alias,
    register_versions,
)
from factory.text.suggestions import suggest_known_name

LATEST, SHIPPED = "latest", "shipped"
"""Built-in aliases: the newest stored version, and the newest stored one that the gate lets ship."""


@dataclass(frozen=True, slots=True)
class Version:
    """One bundle of a specialist. `number` counts from 1; `bundle` is its folder, which `gc` may have deleted.

    `run`, `verdict` and `created` are empty if its entry in the registry is damaged and its runs were deleted.
    """

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
    """Return the versions of all specialists, by name and number, each with the first run that finished it.

    `runs` are those of the home, newest first; by default their journals are read. Bundles of runs that are not in the
    registry yet, such as those of an older factory or of a build that was killed at its very end, are entered in it.
    Smoke builds are no versions.
    """
    runs = list(summarise_journals(home, list_journals(home)[::-1]) if runs is None else runs)
    first_runs: dict[tuple[str, str], RunSummary] = {}
    for run in reversed(runs):  # oldest first, so that bundles are numbered in the order in which they were built
        is_key = run.bundle.isalnum()  # and no path that an odd journal may hold
        if run.verdict and is_key and not run.is_smoke:
            first_runs.setdefault((run.name, run.bundle), run)
    registered = {(version.name, version.key): version for version in list_registered(home)}
    new = [run for place, run in first_runs.items() if place not in registered]
    registered |= _register_runs(home, new, registered) if new else {}
    ids = {run.id for run in runs}
    versions = [_make_version(home, entry, first_runs.get(place), ids) for place, entry in registered.items()]
    return sorted(versions, key=lambda version: (version.name, version.number))


def _register_runs(
    home: Path, runs: Iterable[RunSummary], known: Mapping[tuple[str, str], RegisteredVersion]
) -> dict[tuple[str, str], RegisteredVersion]:
    """Enter the bundles of runs in the registry; in a home that can not be written they get the same numbers."""
    facts: dict[str, dict[str, VersionFacts]] = {}
    for run in runs:
        facts.setdefault(run.name, {})[run.bundle] = VersionFacts(run.id, run.verdict, run.started)
    entries: dict[tuple[str, str], RegisteredVersion] = {}
    for name, bundles in facts.items():
        try:
            numbers = register_versions(home, name, bundles)
        except OSError:
            last = max((entry.number for entry in known.values() if entry.name == name), default=0)
            numbers = {key: number for number, key in enumerate(bundles, last + 1)}
        entries |= {(name, key): RegisteredVersion(name, numbers[key], key, bundles[key]) for key in bundles}
    return entries


def _make_version(home: Path, entry: RegisteredVersion, run: RunSummary | None, ids: Collection[str]) -> Version:
    """Return a version by its entry; `run` is the first one that still is there, `ids` are all that are."""
    facts = entry.facts or VersionFacts()
    if run is not None and facts.run not in ids:  # its entry is damaged, or its first run was deleted
        facts = VersionFacts(run.id, facts.verdict or run.verdict, facts.created or run.started)
    folder = Store(home).locate_output("bundle", entry.key).output
    return Version(entry.name, entry.number, entry.key, facts.run, facts.verdict, facts.created, folder)


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
    return SpecialistEntry(version, aliases, sum(file.st_size for file in files), find_manifest(version.bundle))


def find_version(home: Path, text: str) -> Version:
    """Return the version `NAME` (the newest stored one), `NAME@NUMBER` or `NAME@ALIAS`.

    Raises InputError if there is none.
    """
    name, _, label = text.partition("@")
    known = list_versions(home)
    versions = [version for version in known if version.name == name]
    if not versions:
        names = sorted({version.name for version in known})
        hint = suggest_known_name(name, names, "none; build one first")
        if any(run.name == name and run.is_smoke for run in summarise_journals(home, list_journals(home))):
            hint = "it has smoke builds only, which are no versions; build it without --profile smoke"
        raise InputError(f"no specialist {name!r}; {hint}")
    if label:
        aliases = collect_aliases(home, versions)
        first, last = versions[0].number, versions[-1].number
        numbers = f"{first} to {last}" if last > first else str(first)
        versions = [v for v in versions if str(v.number) == label.removeprefix("v") or label in aliases.get(v.key, ())]
        if not versions:
            known_aliases = ", ".join(sorted({alias for names in aliases.values() for alias in names})) or "no alias"
            raise InputError(f"{name} has no version {label!r}; it has {numbers}, {known_aliases}")
    stored = [version for version in versions if version.is_stored]
    if not stored:
        raise InputError(f"the bundle of {text} was deleted from the store; build it again")
    return stored[-1]


def collect_aliases(home: Path, versions: Sequence[Version]) -> dict[str, tuple[str, ...]]:
    """Return bundle key → aliases, from the versions of one specialist, oldest first."""
    stored = [version for version in versions if version.is_stored]
    ships = (version for version in reversed(stored) if Verdict.from_word(version.verdict).ships)
    # The verdict is about tuned: a version that delivers another contender is promoted by hand.
    shipped = [version for version in ships if not find_exporting_contender(find_manifest(version.bundle))][:1]
    pairs = [(alias, latest[-1].key) for alias, latest in ((LATEST, stored), (SHIPPED, shipped)) if latest]
    pairs += sorted(read_aliases(home, versions[0].name).items()) if versions else []
    aliases: dict[str, tuple[str, ...]] = {}
    for alias, key in pairs:
        aliases[key] = (*aliases.get(key, ()), alias)
    return aliases


def assign_alias(home: Path, text: str, alias: str) -> Version:
    """Assign an alias to the version that `text` names, and take it from any other version of the specialist.

    Raises InputError for an invalid or reserved alias.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,63}", alias) or re.fullmatch(r"v\d+", alias) or alias in (LATEST, SHIPPED):
        raise InputError(
            f"{alias!r} is not a valid alias; start with a lower-case letter, then use letters, digits and _.- "
            f"(not {LATEST}, {SHIPPED}, or a version such as v2)"
        )
    version = find_version(home, text)
    register_alias(home, version.name, alias, version.key)
    return version


def find_run_outputs(home: Path, text: str) -> RunOutputs:
    """Return the outputs of the run that `text` names: as for `find_run`, or `NAME@VERSION`. Raises InputError."""
    if "@" in text:
        return find_version_outputs(home, find_version(home, text))
    return RunOutputs(home, find_run(home, text))


def find_version_outputs(home: Path, version: Version) -> RunOutputs:
    """Return the outputs of the run that made a version; without any stage if its runs were deleted."""
    journal = home / "runs" / version.run / JOURNAL_FILE
    found = version.run and journal.is_file()
    return RunOutputs(home, read_run(journal) if found else RunView(id=version.run, name=version.name))


def resolve_bundle(home: Path, text: str) -> Path:
    """Return the bundle folder of `NAME`, `NAME@NUMBER`, `NAME@ALIAS`, or a path to a bundle."""
    path = Path(text).expanduser()
    return path if (path / "factory" / "manifest.json").is_file() else find_version(home, text).bundle
