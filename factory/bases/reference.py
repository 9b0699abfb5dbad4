"""What a spec may write where it names a base model."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from factory.bases.catalogue import KNOWN, named
from factory.errors import InputError

WHEEL = re.compile(r"wheel:(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9.!+_-]+)")
HUB = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<version>[\w./-]+))?")
SHA256 = re.compile(r"[0-9a-f]{64}")
ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FRAGMENTS = {"wheel": {"sha256", "id"}, "hub": set[str](), "local": {"id"}}


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. `name` is a distribution, a hub id or a path; `version` a version or a revision.

    `sha256` pins a wheel; `id` is what a bundle calls this base, where the writer said it.
    """

    kind: Literal["wheel", "hub", "local"]
    name: str
    version: str = ""
    sha256: str = ""
    id: str = ""


def parse(reference: str, root: Path | None = None) -> Reference:
    """Read a reference; paths are relative to `root`, and a folder that is there wins over a hub id.

    Raises InputError that says what a reference looks like.
    """
    body, _, fragment = reference.strip().partition("#")
    if body.startswith("wheel:"):
        return _wheel(body, fragment)
    if body.startswith((".", "/", "~")) or (body and ((root or Path()) / body).is_dir()):
        return Reference("local", body, id=_fragments("local", fragment).get("id", ""))
    match = HUB.fullmatch(body)
    if match is None:
        raise InputError(f"{reference!r} names no base model; {_forms(body)}")
    _fragments("hub", fragment)
    return Reference("hub", match["name"], match["version"] or "main")


def _wheel(body: str, fragment: str) -> Reference:
    match = WHEEL.fullmatch(body)
    if match is None:
        raise InputError(f"{body!r} is not wheel:NAME==VERSION; a version is needed, for a base must not drift")
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
    said = _fragments("wheel", fragment)
    entry = named(name, match["version"])
    sha256 = said.get("sha256", entry.sha256 if entry else "")
    return Reference("wheel", name, match["version"], sha256, said.get("id", ""))


def _fragments(kind: str, fragment: str) -> dict[str, str]:
    """`sha256=…&id=…` as a mapping, checked."""
    if not fragment:
        return {}
    said: dict[str, str] = {}
    for part in fragment.split("&"):
        name, _, value = part.partition("=")
        if name not in FRAGMENTS[kind]:
            takes = " or ".join(f"#{known}=…" for known in sorted(FRAGMENTS[kind])) or "no fragment"
            raise InputError(f"#{part}: a {kind} reference takes {takes}")
        if not (SHA256 if name == "sha256" else ID).fullmatch(value):
            wanted = "64 lower-case hexadecimal digits" if name == "sha256" else "org/name"
            raise InputError(f"#{part}: {name} is {wanted}")
        said[name] = value
    return said


def _forms(body: str) -> str:
    near = difflib.get_close_matches(body, [entry.name for entry in KNOWN], n=1, cutoff=0.5)
    hint = next((f"did you mean {entry.reference!r}? " for entry in KNOWN if entry.name in near), "")
    return f"{hint}a base is wheel:NAME==VERSION, a hub id org/name[@revision], or a path such as ./model"
