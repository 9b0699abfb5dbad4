"""The shelf: named specialists and their versions, from the journals. A version is a distinct bundle, oldest first."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from factory import runs
from factory.errors import InputError
from factory.store import Store


@dataclass(frozen=True, slots=True)
class Version:
    """One bundle of a specialist. `number` counts from 1; `bundle` is its folder, which `gc` may have taken away."""

    name: str
    number: int
    key: str
    run: str
    verdict: str
    created: float
    bundle: Path

    @property
    def there(self) -> bool:
        """Whether the bundle is still in the store."""
        return self.bundle.is_dir()


def versions(home: Path, name: str = "") -> list[Version]:
    """The versions of one specialist, or of all: each by the first run that finished it."""
    found: dict[tuple[str, str], Version] = {}
    counts: dict[str, int] = {}
    for run in reversed(runs.listing(home)):
        key = run.stages["bundle"].key if "bundle" in run.stages else ""
        reached = run.end is not None and run.end.verdict and run.end.bundle
        if not reached or not key or (name and run.name != name) or (run.name, key) in found:
            continue
        counts[run.name] = counts.get(run.name, 0) + 1
        place = Store(home).place("bundle", key).output
        found[run.name, key] = Version(run.name, counts[run.name], key, run.id, run.verdict, run.started, place)
    return list(found.values())


def find(home: Path, text: str) -> Version:
    """The version that `NAME` (the newest that is there) or `NAME@NUMBER` means. Raises InputError for none."""
    name, _, number = text.partition("@")
    known = versions(home)
    mine = [v for v in known if v.name == name]
    if not mine:
        raise InputError(_unknown(name, sorted({v.name for v in known})))
    if number:
        mine = [v for v in mine if str(v.number) == number.removeprefix("v")]
        if not mine:
            raise InputError(f"{name} has no version {number!r}; it has 1 to {sum(v.name == name for v in known)}")
    there = [v for v in mine if v.there]
    if not there:
        raise InputError(f"the bundle of {text} was cleared from the store; build it again")
    return there[-1]


def resolve(home: Path, text: str) -> Path:
    """The bundle folder that `NAME`, `NAME@NUMBER` or a path to a bundle means."""
    path = Path(text).expanduser()
    if (path / "factory" / "manifest.json").is_file():
        return path
    return find(home, text).bundle


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none; build one first'}"
    return f"no specialist {name!r}; {hint}"
