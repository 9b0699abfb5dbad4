"""What a person has allowed builds of this home to reach: hosts, with the variables that go there, and folders.

One append-only file of the home folder. Each line holds the number of the home's folder on its disk: a home that came
with a stranger's project, or was copied, allows nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory.store.fsync import append_line, fsync_path, open_append

CONSENTS_FILE = "consents.jsonl"


@dataclass(frozen=True)
class Consents:
    """Host (`host:port`, as the plan lists it) → variables that may go there, and folders that may be read."""

    hosts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    folders: frozenset[Path] = frozenset()

    def allows_host(self, host: str, variables: Iterable[str]) -> bool:
        return host in self.hosts and self.hosts[host].issuperset(variables)

    def allows_path(self, path: Path) -> bool:
        """Whether a path, links resolved, is a folder that was allowed or below one."""
        return any(path.is_relative_to(folder) for folder in self.folders)


def read_consents(home: Path) -> Consents:
    """Return what was allowed; lines that are torn, or of another home, are skipped."""
    file, number = home / CONSENTS_FILE, _find_home_number(home)
    hosts: dict[str, frozenset[str]] = {}
    folders: set[Path] = set()
    for line in file.read_bytes().split(b"\n") if file.is_file() else []:
        entry = _parse_entry(line)
        if entry.get("home") != number:
            continue
        if isinstance(host := entry.get("host"), str):
            hosts[host] = hosts.get(host, frozenset()) | frozenset(map(str, entry.get("variables", ())))
        elif isinstance(folder := entry.get("folder"), str):
            folders.add(Path(folder))
    return Consents(hosts, frozenset(folders))


def remember_host(home: Path, host: str, variables: Iterable[str]) -> None:
    """Allow a host, and these variables to be sent there."""
    _append_entry(home, {"host": host, "variables": sorted(variables)})


def remember_folder(home: Path, folder: Path) -> None:
    """Allow a folder, or a single file, to be read."""
    _append_entry(home, {"folder": str(folder)})


def _append_entry(home: Path, entry: Mapping[str, Any]) -> None:
    file = home / CONSENTS_FILE
    handle = open_append(file, flags=os.O_NOFOLLOW)
    try:
        append_line(handle, json.dumps({**entry, "home": _find_home_number(home)}).encode(), file)
    finally:
        os.close(handle)
    fsync_path(home)


def _find_home_number(home: Path) -> int:
    """Return the inode of the home folder, 0 if it does not exist."""
    return home.stat().st_ino if home.is_dir() else 0


def _parse_entry(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
