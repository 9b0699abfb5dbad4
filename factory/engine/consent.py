"""Consent before a build: nothing leaves to a host, and nothing outside the project is read, that nobody allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from factory.errors import InputError
from factory.network_policy import split_host
from factory.plan.builder import Plan
from factory.plan.reach import HostUse, PathUse, collect_host_uses, collect_outside_paths
from factory.spec.layers import ResolvedSpec
from factory.store.consents import read_consents, remember_folder, remember_host
from factory.store.outputs import Store


class ConsentError(InputError):
    """A host, a variable or a path that this home has not allowed yet."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a plan reaches beyond its project; `missing` has a line, with a remedy, for each use not allowed yet."""

    hosts: tuple[HostUse, ...]
    paths: tuple[PathUse, ...]
    missing: tuple[str, ...]

    def list_lines(self) -> list[str]:
        """Return a line for each use, first those that are not allowed."""
        lines = [*(use.describe() for use in self.hosts), *(use.describe() for use in self.paths)]
        return [*self.missing, *(line for line in lines if not any(each.startswith(line) for each in self.missing))]

    def to_json(self) -> dict[str, Any]:
        return {
            "hosts": [asdict(use) for use in self.hosts], "not_allowed": list(self.missing),
            "outside_paths": [{"path": str(use.path), "field": use.field} for use in self.paths],
        }


def find_reach(plan: Plan, resolved: ResolvedSpec, home: Path, *, replay: bool = False) -> Reach:
    """Return what a plan reaches, and what of it this home has not allowed. With `replay` no host is reached."""
    hosts = [] if replay else collect_host_uses(plan, Store(home))
    paths, given = collect_outside_paths(resolved), read_consents(home)
    missing = [
        f"{use.describe()}, which was not allowed yet; allow it with --allow {use.host}"
        for use in hosts if use.needs_consent and not given.allows_host(use.host, use.variables)
    ]
    for use in paths:
        if not given.allows_path(use.path):
            folder = use.path if use.path.is_dir() else use.path.parent
            missing.append(f"{use.describe()}, which was not allowed yet; allow it with --allow-path {folder}")
    return Reach(tuple(hosts), tuple(paths), tuple(missing))


def require_consents(plan: Plan, resolved: ResolvedSpec, home: Path, *, replay: bool) -> list[str]:
    """Return a line for each host and path that a build reaches. Raises ConsentError if some are not allowed."""
    reach = find_reach(plan, resolved, home, replay=replay)
    if reach.missing:
        raise ConsentError("\n".join(f"{resolved.file}: {line}" for line in reach.missing))
    return reach.list_lines()


def allow_hosts(names: Sequence[str], uses: Sequence[HostUse], home: Path) -> None:
    """Remember that hosts are allowed, with the variables that this spec sends there.

    A name is `host`, meaning all of its ports, or `host:port`. Raises InputError for one that the spec does not reach.
    """
    for name in names:
        found = [use for use in uses if name.lower() in (use.host.lower(), split_host(use.host)[0])]
        if not found:
            known = ", ".join(dict.fromkeys(use.host for use in uses)) or "no host"
            raise InputError(f"--allow {name}: the spec does not reach this host; it reaches {known}")
        for use in found:
            remember_host(home, use.host, use.variables)


def allow_folders(folders: Sequence[Path], home: Path) -> None:
    """Remember that folders, or single files, are allowed to be read. Raises InputError if one does not exist."""
    for folder in folders:
        if not folder.exists():
            raise InputError(f"--allow-path {folder}: no such file or folder")
        remember_folder(home, folder.resolve())
