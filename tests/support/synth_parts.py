"""What tests of synthesizers share: a job over a few rows, a teacher by a script, a run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from loopback import Play, Server, serving
from places import ROOT, SUPPORT
from rerank_parts import HashKit
from teach_parts import teacher
from tiny_parts import Voice

from factory.api import Base, Finding, Provenance, Row, RowsJob, Synthesizer, Task

STORIES = ROOT / "tests" / "synth"
EMBEDDER = Base(Path("nowhere"), "hash", "1", "0", "MIT")


class Plain(Task):
    """A task that needs nothing: rows are as they are."""

    kind = "plain"
    text_column = "text"

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        yield from ()


def row(name: str, group: str = "", **columns: Any) -> Row:
    return Row(name, columns, Provenance("parts.jsonl", 1, "CC0-1.0"), group)


def job(rows: Sequence[Row], voice: Voice | None = None, **more: Any) -> RowsJob:
    given = {"kit_loader": HashKit, "models": {"embedder": EMBEDDER}, "task": Plain(), "root": STORIES}
    return RowsJob(**{"seed": 7, "report": voice or Voice(), "rows": rows, **given, **more})


def run(synthesizer: Synthesizer, rows: Sequence[Row], voice: Voice | None = None, **more: Any) -> list[Row]:
    return list(synthesizer.synthesize(job(rows, voice, **more)))


def asking(server: Server, home: Path, **changed: Any) -> dict[str, Any]:
    """A job's way to the server as its teacher."""
    return {"teacher_factory": lambda alias: teacher(server, home, **changed)}


def scripted(say: Callable[[str], str]) -> Any:
    """A server that answers the last message by a function of it."""
    return serving(otherwise=Play(lambda body: say(str(body["messages"][-1]["content"]))))


def printed(program: str, hash_seed: str) -> str:
    """What a program prints under a seed of Python's hashes."""
    where = os.pathsep.join(str(path) for path in (SUPPORT, STORIES, ROOT, ROOT / "plugins"))
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": where, "PYTHONHASHSEED": hash_seed},
        capture_output=True, text=True, check=True,
    )
    return done.stdout


def lines(file: Path, *records: dict[str, Any]) -> Path:
    """A JSONL file of these records."""
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file
