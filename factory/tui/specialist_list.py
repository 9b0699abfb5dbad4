"""List of specialists for the screens: every version with its aliases, size and manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.bundle.manifest import load_manifest
from factory.errors import FactoryError
from factory.runs.specialists import Version, collect_aliases
from factory.store.outputs import Store
from factory.tui.run_index import RunIndex


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


def list_specialists(home: Path, index: RunIndex) -> list[SpecialistEntry]:
    """Return all versions by name, newest first. Each distinct bundle is a version, as in `runs.specialists`."""
    versions: dict[tuple[str, str], Version] = {}
    counts: dict[str, int] = {}
    # Oldest first, so that versions are numbered in the order in which they were built.
    for run in reversed(index.list_runs()):
        if not run.verdict or not run.bundle or (run.name, run.bundle) in versions:
            continue
        number = counts[run.name] = counts.get(run.name, 0) + 1
        folder = Store(home).locate_output("bundle", run.bundle).output
        versions[run.name, run.bundle] = Version(run.name, number, run.bundle, run.id, run.verdict, run.started, folder)
    entries = []
    for name in sorted(counts):
        siblings = [version for version in versions.values() if version.name == name]
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
