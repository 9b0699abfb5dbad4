"""Judges of known bias behind a server on this machine, and jobs that ask them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eval_parts import build_job
from loopback import Play, Server
from teach_parts import TERMS
from toy_builds import PATIENCE

from factory.api import Answer, Endpoint, Row, ScoreJob
from factory.llm import TeacherPool

SHOWN = re.compile(r"text (\d+)\n\nAnswer A:\n(.*?)\n\nAnswer B:\n(.*?)\n\n.*Which answer is better", re.DOTALL)
Taste = Callable[[int, str, str], bool]
"""(number of the row, answer shown first, answer shown second) → whether the first one is better."""


def judge_by(taste: Taste) -> Callable[[dict[str, Any]], Play]:
    """A server that judges by a taste."""

    def play(body: dict[str, Any]) -> Play:
        found = SHOWN.search(str(body["messages"][-1]["content"]))
        assert found, body
        return Play("A" if taste(int(found[1]), found[2], found[3]) else "B")

    return play


def build_judged_job(
    server: Server, home: Path, rows: Sequence[Row], texts: Sequence[str], tuned: Sequence[str] = (), **more: Any
) -> ScoreJob:
    """A job whose judge is the server."""
    endpoint = Endpoint(model="judge", base_url=server.url, timeout=PATIENCE)
    pool = TeacherPool(home, TERMS, lambda: None)  # type: ignore[arg-type, return-value]
    opponent = {row.id: Answer(row.id, text) for row, text in zip(rows, tuned, strict=False)}
    return build_job(
        rows, texts, opponent=opponent, teacher_factory=lambda alias: pool.get_teacher(endpoint), **more,
    )
