"""What may be meant by a path of a spec that does not exist."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path, PureWindowsPath

from factory.text.suggestions import find_near_name
from factory.yaml import format_value

COMMON_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".sqlite", ".db", ".gz")
"""Suffixes that file managers hide."""


def suggest_path(value: str, root: Path) -> str:
    """Return what to write instead of a path that does not exist, to append to a message; empty if nothing is near."""
    if value.startswith("~"):
        home = os.path.expanduser(value)
        found = f"; write {home}" if os.path.exists(home) else ""
        return f" (`~` is not expanded{found or '; write the whole path, or one relative to the spec'})"
    if "\\" in value or (len(value) > 1 and value[1] == ":"):
        path = PureWindowsPath(value)
        posix = path.relative_to(path.anchor).as_posix()
        if os.path.exists(root / posix):
            return f"; did you mean {format_value(posix)}? Paths are written with / here"
        return "; paths are written with / here"
    near = _find_near_path(value, root)
    return f"; did you mean {format_value(near)}?" if near else ""


def _find_near_path(value: str, root: Path) -> str:
    """Return an existing path that differs in its suffix, its case, or a few letters of its last part; or empty."""
    parent, name = os.path.split(value.rstrip("/"))
    names: list[str] = []
    with suppress(OSError, ValueError):
        names = os.listdir(root / parent)
    stem = os.path.splitext(name)[0]
    stems = {stem, *(f"{each}{suffix}" for suffix in COMMON_SUFFIXES for each in (name, stem))}
    near = next((each for each in sorted(names) if each in stems), "") or _find_near_stem(name, names)
    return os.path.join(parent, near) if near else ""


def _find_near_stem(name: str, names: list[str]) -> str:
    """Return the file of the same suffix whose stem differs in a few letters; empty for none."""
    # Stems alone are compared: a common suffix would make `qrels.jsonl` similar to `queries.jsonl`.
    stem, suffix = os.path.splitext(name)
    stems = {os.path.splitext(each)[0]: each for each in names if os.path.splitext(each)[1].lower() == suffix.lower()}
    near = find_near_name(stem, stems, cutoff=0.75)
    return stems[near] if near else ""
