"""What tests of synthesizers share: a job over a few rows, and a run of one in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tiny_parts import Voice

from factory.api import Finding, Provenance, Row, RowsJob, Synthesizer, Task

HERE = Path(__file__).parent


class Plain(Task):
    """A task that needs nothing: rows are as they are."""

    kind = "plain"
    text = "text"

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        yield from ()


def row(name: str, group: str = "", **columns: Any) -> Row:
    return Row(name, columns, Provenance("parts.jsonl", 1, "CC0-1.0"), group)


def job(rows: Sequence[Row], voice: Voice | None = None, **more: Any) -> RowsJob:
    return RowsJob(**{"seed": 7, "report": voice or Voice(), "root": HERE, "rows": rows, "task": Plain(), **more})


def run(synthesizer: Synthesizer, rows: Sequence[Row], voice: Voice | None = None, **more: Any) -> list[Row]:
    return list(synthesizer.synthesize(job(rows, voice, **more)))


def printed(program: str, hash_seed: str) -> str:
    """What a program prints under a seed of Python's hashes."""
    where = os.pathsep.join(str(path) for path in (HERE, HERE.parent, HERE.parent / "plugins"))
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": where, "PYTHONHASHSEED": hash_seed},
        capture_output=True, text=True, check=True,
    )
    return done.stdout
