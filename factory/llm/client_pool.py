"""The teacher clients of one stage, created on first use and closed with a note of their usage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from factory.api import Base, Endpoint, Kit, Reporter, Teacher
from factory.identity import compute_key
from factory.llm.endpoint import EndpointTeacher
from factory.llm.ledger import BudgetTerms, Ledger
from factory.llm.local import LocalTeacher
from factory.llm.response_cache import ResponseCache
from factory.store.paths import LEDGER_FILE, RESPONSES_FOLDER


class TeacherPool:
    """Creates one client per model and shares the response cache and the ledger among them."""

    def __init__(self, home: Path, terms: BudgetTerms, kit: Callable[[], Kit]) -> None:
        self._response_cache, self._ledger = ResponseCache(home / RESPONSES_FOLDER), Ledger(home / LEDGER_FILE, terms)
        self._kit = kit
        self._teachers: dict[str, EndpointTeacher | LocalTeacher] = {}

    def get_teacher(self, model: Base | Endpoint) -> Teacher:
        """Return the client of a base or an endpoint; the same one each time."""
        key = model.digest if isinstance(model, Base) else compute_key(model.model_dump(mode="json"))
        if key not in self._teachers:
            self._teachers[key] = (
                EndpointTeacher(model, self._response_cache, self._ledger) if isinstance(model, Endpoint)
                else LocalTeacher(model, self._kit, self._response_cache, self._ledger)
            )
        return self._teachers[key]

    def close(self, report: Reporter) -> None:
        """Report the usage of each teacher; close connections and files."""
        for teacher in self._teachers.values():
            if any((teacher.stats.answered, teacher.stats.failed, teacher.stats.cached)):
                report.note(f"{teacher.model}: {teacher.stats}")
            if isinstance(teacher, EndpointTeacher):
                teacher.close()
        self._ledger.close()
