"""The registry of versions and aliases: a number is given once, under a lock, and stands for one bundle for good.

Each entry is a small file of its own in `versions/NAME/`, made by one rename and never written again. Its *name* is the
entry: `v000002.KEY.json` says that version 2 is the bundle KEY, `a000003.production.KEY` that the third time an alias
was set it was `production`, to KEY. So a file that a crash or a disk has torn loses neither its number nor any other
entry, and neither clocks nor the journals of runs have a say.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from factory.store.fsync import fsync_path, write_whole

VERSIONS_FOLDER = "versions"
LEGACY_ALIASES_FILE = "aliases.json"
"""Where an older factory kept aliases: specialist → alias → key of a bundle."""
VERSION_FILE = re.compile(r"v(\d{6,})\.([^.]+)\.json")
ALIAS_FILE = re.compile(r"a(\d{6,})\.(.+)\.([^.]+)")


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What is known of a bundle as its version is registered: its run, the verdict, and the time since the epoch."""

    run: str = ""
    verdict: str = ""
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """An entry of the registry; `facts` is None if the content of its file is damaged."""

    name: str
    number: int
    key: str
    facts: VersionFacts | None


def list_registered(home: Path) -> list[RegisteredVersion]:
    """Return all registered versions, by name and number."""
    folders = sorted(path for path in (home / VERSIONS_FOLDER).glob("*") if path.is_dir())
    return [version for folder in folders for version in _read_versions(folder)]


def register_versions(home: Path, name: str, bundles: Mapping[str, VersionFacts]) -> dict[str, int]:
    """Give each bundle of a specialist a number unless it has one; returns bundle key → number.

    Raises OSError if the home can not be written.
    """
    folder = _locate_folder(home, name)
    with _lock_folder(folder):
        known = {version.key: version.number for version in _read_versions(folder)}
        for key, facts in bundles.items():
            if key not in known:
                known[key] = max(known.values(), default=0) + 1
                _write_entry(folder / f"v{known[key]:06}.{quote_part(key)}.json", asdict(facts))
        return {key: known[key] for key in bundles}


def register_alias(home: Path, name: str, alias: str, key: str) -> None:
    """Point an alias of a specialist to a bundle. Raises OSError if the home can not be written."""
    folder = _locate_folder(home, name)
    with _lock_folder(folder):
        entries = list(_iter_alias_entries(folder))
        last = max((number for number, _, _ in entries), default=0)
        if not last:  # the first entry: those of an older factory come before it
            for known, bundle in sorted(_read_legacy_aliases(home).get(name, {}).items()):
                last += 1
                _write_entry(folder / f"a{last:06}.{known}.{quote_part(bundle)}", {})
        _write_entry(folder / f"a{last + 1:06}.{alias}.{quote_part(key)}", {})


def read_aliases(home: Path, name: str) -> dict[str, str]:
    """Return alias → bundle key of a specialist, as each was set last."""
    entries = sorted(_iter_alias_entries(_locate_folder(home, name)))
    if not entries:
        return _read_legacy_aliases(home).get(name, {})
    return {alias: key for _, alias, key in entries}


def list_entry_damage(version: RegisteredVersion) -> list[str]:
    """Return a line if the content of an entry is damaged; its number and bundle are known all the same."""
    place = f"{VERSIONS_FOLDER}/{quote_part(version.name)}/v{version.number:06}"
    return [] if version.facts else [f"{place}: run, verdict and time of the version are unreadable"]


def quote_part(text: str) -> str:
    """Return a text as a part of a file name, without dots, slashes and other special characters."""
    return quote(text, safe="").replace(".", "%2E")


def _locate_folder(home: Path, name: str) -> Path:
    return home / VERSIONS_FOLDER / quote_part(name)


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which also unlocks


def _read_versions(folder: Path) -> list[RegisteredVersion]:
    name, versions = unquote(folder.name), []
    for entry in _list_names(folder):
        if match := VERSION_FILE.fullmatch(entry):
            facts = _read_facts(folder / entry)
            versions.append(RegisteredVersion(name, int(match[1]), unquote(match[2]), facts))
    return sorted(versions, key=lambda version: version.number)


def _iter_alias_entries(folder: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (number, alias, bundle key)."""
    for entry in _list_names(folder):
        if match := ALIAS_FILE.fullmatch(entry):
            yield int(match[1]), match[2], unquote(match[3])


def _list_names(folder: Path) -> Iterable[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return ()


def _read_facts(file: Path) -> VersionFacts | None:
    try:
        values: Any = json.loads(file.read_bytes())
        facts = VersionFacts(str(values["run"]), str(values["verdict"]), float(values["created"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return facts if 0 <= facts.created < 2**36 else None


def _write_entry(file: Path, values: Mapping[str, Any]) -> None:
    """Write an entry: its content on disk first, then the name, which is what counts."""
    temporary = file.with_name(f".{os.getpid()}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_whole(handle, json.dumps(values, sort_keys=True).encode() + b"\n", file)
        os.fsync(handle)
    finally:
        os.close(handle)
    temporary.rename(file)
    fsync_path(file.parent)


def _read_legacy_aliases(home: Path) -> dict[str, dict[str, str]]:
    """Return specialist → alias → bundle key, as an older factory kept them."""
    try:
        loaded = json.loads((home / LEGACY_ALIASES_FILE).read_text("utf-8"))
        return {str(name): {str(alias): str(key) for alias, key in keys.items()} for name, keys in loaded.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
