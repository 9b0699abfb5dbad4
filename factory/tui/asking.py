"""Specialists that are being asked: each in a process of its own that is started once and ends with the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from factory.errors import FactoryError
from factory.serve.client import SpecialistClient

Heard = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """What one specialist said so far. `seconds` is 0 while it still thinks."""

    name: str
    text: str = ""
    answers: tuple[Mapping[str, Any], ...] = ()
    failed: str = ""
    seconds: float = 0.0
    output: Any = None

    @property
    def done(self) -> bool:
        """Whether there is no more to come."""
        return self.seconds > 0


@dataclass
class Asking:
    """The processes, by specialist."""

    home: Path
    askers: dict[str, SpecialistClient] = field(default_factory=dict)
    locks: dict[str, Lock] = field(default_factory=dict)
    ended: bool = False

    def ask(self, name: str, query: str, fields: Mapping[str, Any], heard: Heard = lambda text: None) -> Reply:
        """Ask one specialist and wait; call it from a thread. What goes wrong is in the reply."""
        with self.locks.setdefault(name, Lock()):
            begun = time.monotonic()
            try:
                found = self._asker(name).ask(query, (), 10, fields, heard)
            except (FactoryError, OSError, ValueError) as error:
                self._drop(name)
                return Reply(name, failed=str(error) or type(error).__name__, seconds=_since(begun))
            reply = found.get("reply") or {}
            return Reply(
                name,
                str(reply.get("shown", "")),
                tuple(found.get("answers") or ()),
                "",
                _since(begun),
                reply.get("output"),
            )

    def _asker(self, name: str) -> SpecialistClient:
        if self.ended:
            raise FactoryError("the screen was closed")
        if name not in self.askers:
            self.askers[name] = SpecialistClient(self.home, name).__enter__()
        return self.askers[name]

    def _drop(self, name: str) -> None:
        asker = self.askers.pop(name, None)
        if asker is not None:
            asker.__exit__(None, None, None)

    def close(self) -> None:
        """End every process."""
        self.ended = True
        for name in list(self.askers):
            self._drop(name)


def _since(begun: float) -> float:
    return max(0.001, time.monotonic() - begun)


def fields_of(text: str) -> dict[str, Any]:
    """`history=["Who was Ada?"]; language=en` as columns; a value that is JSON is read as such. Raises ValueError."""
    import json

    found: dict[str, Any] = {}
    for pair in (part.strip() for part in text.split(";")):
        name, equals, value = pair.partition("=")
        if not pair:
            continue
        if not equals or not name.strip():
            raise ValueError(f"{pair!r}: write COLUMN=VALUE; several are parted by ;")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value.strip()
    return found


def spelled(fields: Mapping[str, Any]) -> str:
    """The columns as one types them."""
    import json

    return "; ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
    )
