"""Check of a whole home: outputs, bundles, the registry, journals, ledgers and cached answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from factory.bundle.manifest import verify_bundle
from factory.errors import READ_ERRORS
from factory.store.integrity import list_damage, read_content_key
from factory.store.journal import list_journals, parse_event_line
from factory.store.looks import LOOKS_FILE, parse_look
from factory.store.outputs import META_FILE, OUTPUT_FOLDER, Store
from factory.store.paths import LEDGER_FILE, RESPONSES_FOLDER
from factory.store.version_registry import LEGACY_ALIASES_FILE, list_entry_damage, list_registered

BUNDLE_KIND = "bundle"


@dataclass
class HomeReport:
    """What a home holds: counts by name of what is whole, and a line for each thing that is damaged."""

    whole: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, problems: list[str]) -> None:
        """Count one thing, or its problems."""
        self.whole[name] = self.whole.get(name, 0) + (not problems)
        self.problems += problems


def check_home(home: Path) -> HomeReport:
    """Read everything that builds left in a home. Nothing is changed."""
    report = HomeReport()
    _check_outputs(home, report)
    for version in list_registered(home):
        report.add("versions", list_entry_damage(version))
    if (home / LEGACY_ALIASES_FILE).is_file():
        report.add("files of aliases", _check_json(home / LEGACY_ALIASES_FILE, home))
    for path in list_journals(home):
        report.add("journals", _check_lines(path, home, lambda line: parse_event_line(line) is not None))
    for path, accept in {home / LEDGER_FILE: _is_json_object, home / LOOKS_FILE: parse_look}.items():
        if path.is_file():
            report.add("ledgers", _check_lines(path, home, accept))
    for path in sorted((home / RESPONSES_FOLDER).glob("??/*.json")):
        report.add("cached answers", _check_json(path, home))
    return report


def _check_outputs(home: Path, report: HomeReport) -> None:
    for folder in sorted((home / "store").glob(f"*/*/{OUTPUT_FOLDER}")):
        # An output gets its name by a rename that brings the metadata along: alone it was not left by any kill.
        if not folder.parent.suffix and not (folder.parent / META_FILE).is_file():
            report.add("outputs", [f"{folder.relative_to(home)}: {META_FILE} is missing"])
    for output in Store(home).iter_complete_outputs():
        where = output.output.relative_to(home)
        damage = list_damage(output)
        has_digests = bool(damage) or bool(read_content_key(output))
        name = "outputs" if has_digests else "outputs of an older version, without digests"
        report.add(name, [f"{where}: {problem}" for problem in damage])
        if output.kind == BUNDLE_KIND:
            report.add("bundles", [f"{where}: {problem}" for problem in _check_bundle(output.output)])


def _check_bundle(folder: Path) -> list[str]:
    try:
        return verify_bundle(folder)
    except READ_ERRORS as error:
        return [str(error)]


def _check_lines(path: Path, home: Path, accept: Callable[[bytes], object]) -> list[str]:
    """Return a line for each line of a file that is not accepted; an unfinished last one is told as that."""
    try:
        return list(_iter_bad_lines(path, str(path.relative_to(home)), accept))
    except OSError as error:
        return [f"{path.relative_to(home)}: {error.strerror or error}"]


def _iter_bad_lines(path: Path, where: str, accept: Callable[[bytes], object]) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                yield f"{where}:{number}: the line is unfinished"
            elif line.strip() and not accept(line):
                yield f"{where}:{number}: the line is unreadable"


def _is_json_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _check_json(path: Path, home: Path) -> list[str]:
    try:
        is_whole = _is_json_object(path.read_bytes())
    except OSError as error:
        return [f"{path.relative_to(home)}: {error.strerror or error}"]
    return [] if is_whole else [f"{path.relative_to(home)}: is not JSON"]
