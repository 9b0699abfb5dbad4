"""The teachers of one stage, from their models: made when a plugin first asks, one of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from factory.api import Base, Endpoint, Kit, Reporter, Teacher
from factory.identity import compute_key
from factory.teach.calls import Calls
from factory.teach.ledger import Ledger, Terms
from factory.teach.local import Local
from factory.teach.remote import Remote

CALLS = Path("cache", "calls")
LEDGER = CALLS / "ledger.jsonl"


class Desk:
    """Where a stage's plugins find whom to ask."""

    def __init__(self, home: Path, terms: Terms, kit: Callable[[], Kit]) -> None:
        self._calls, self._ledger = Calls(home / CALLS), Ledger(home / LEDGER, terms)
        self._kit = kit
        self._made: dict[str, Remote | Local] = {}

    def teacher(self, model: Base | Endpoint) -> Teacher:
        """The teacher that a base, or an endpoint, is."""
        name = model.digest if isinstance(model, Base) else compute_key(model.model_dump(mode="json"))
        if name not in self._made:
            self._made[name] = self._make(model)
        return self._made[name]

    def _make(self, model: Base | Endpoint) -> Remote | Local:
        if isinstance(model, Endpoint):
            return Remote(model, self._calls, self._ledger)
        return Local(model, self._kit, self._calls, self._ledger)

    def close(self, report: Reporter) -> None:
        """Say what was asked, and let go of connections and files."""
        for teacher in self._made.values():
            if any((teacher.counts.answered, teacher.counts.failed, teacher.counts.cached)):
                report.note(f"{teacher.model}: {teacher.counts}")
            if isinstance(teacher, Remote):
                teacher.close()
        self._ledger.close()
