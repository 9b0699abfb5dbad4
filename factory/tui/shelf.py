"""Specialists as a person keeps them: versions with their aliases, sizes, verdicts, and what each is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.bundle.manifest import load_manifest
from factory.errors import FactoryError
from factory.runs.specialists import Version, collect_aliases
from factory.store.outputs import Store
from factory.tui.index import Index


@dataclass(frozen=True, slots=True)
class Kept:
    """One version: its bundle's size in bytes (0 when it is gone), its aliases, its manifest if it can be read."""

    version: Version
    aliases: tuple[str, ...]
    size: int
    manifest: Mapping[str, Any]

    @property
    def label(self) -> str:
        """`NAME@2`, as every command takes it."""
        return f"{self.version.name}@{self.version.number}"


def kept(home: Path, index: Index) -> list[Kept]:
    """All versions, by name and the newest first. A version is a distinct bundle, as `specialists.versions` counts."""
    found: dict[tuple[str, str], Version] = {}
    counts: dict[str, int] = {}
    for one in reversed(index.all()):
        if not one.verdict or not one.bundle or (one.name, one.bundle) in found:
            continue
        counts[one.name] = counts.get(one.name, 0) + 1
        place = Store(home).locate_output("bundle", one.bundle).output
        found[one.name, one.bundle] = Version(
            one.name, counts[one.name], one.bundle, one.id, one.verdict, one.started, place
        )
    names = sorted({name for name, _ in found})
    grouped = {name: [v for v in found.values() if v.name == name] for name in names}
    return [_kept(v, collect_aliases(home, mine).get(v.key, ())) for mine in grouped.values() for v in reversed(mine)]


def _kept(version: Version, called: tuple[str, ...]) -> Kept:
    return Kept(version, called, _size(version.bundle), _manifest(version.bundle))


def _size(folder: Path) -> int:
    try:
        return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    except OSError:
        return 0


def _manifest(bundle: Path) -> Mapping[str, Any]:
    try:
        return load_manifest(bundle)
    except (FactoryError, OSError, ValueError):
        return {}
