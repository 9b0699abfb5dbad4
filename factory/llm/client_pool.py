"""The teachers of one stage, from their models: made when a plugin first asks, one of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from factory.api import Base, Endpoint, Kit, Reporter, Teacher
from factory.identity import compute_key
from factory.llm.endpoint import EndpointTeacher
from factory.llm.ledger import BudgetTerms, Ledger
from factory.llm.local import LocalTeacher
from factory.llm.response_cache import ResponseCache

RESPONSES_FOLDER = Path("cache", "calls")
LEDGER_FILE = RESPONSES_FOLDER / "ledger.jsonl"


class TeacherPool:
    """Where a stage's plugins find whom to ask."""

    def __init__(self, home: Path, terms: BudgetTerms, kit: Callable[[], Kit]) -> None:
        self._response_cache, self._ledger = ResponseCache(home / RESPONSES_FOLDER), Ledger(home / LEDGER_FILE, terms)
        self._kit = kit
        self._teachers: dict[str, EndpointTeacher | LocalTeacher] = {}

    def get_teacher(self, model: Base | Endpoint) -> Teacher:
        """The teacher that a base, or an endpoint, is."""
        name = model.digest if isinstance(model, Base) else compute_key(model.model_dump(mode="json"))
        if name not in self._teachers:
            self._teachers[name] = self._create_teacher(model)
        return self._teachers[name]

    def _create_teacher(self, model: Base | Endpoint) -> EndpointTeacher | LocalTeacher:
        if isinstance(model, Endpoint):
            return EndpointTeacher(model, self._response_cache, self._ledger)
        return LocalTeacher(model, self._kit, self._response_cache, self._ledger)

    def close(self, report: Reporter) -> None:
        """Say what was asked, and let go of connections and files."""
        for teacher in self._teachers.values():
            if any((teacher.stats.answered, teacher.stats.failed, teacher.stats.cached)):
                report.note(f"{teacher.model}: {teacher.stats}")
            if isinstance(teacher, EndpointTeacher):
                teacher.close()
        self._ledger.close()
