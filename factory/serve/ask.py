"""The process that answers questions to a specialist: one JSON request a line, one JSON reply a line; before the reply
of one that writes, lines with what it wrote so far, when they are asked for.

It is told once what to load, then asked as often as one likes. What libraries print goes to the log.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from factory.api import Answer, Base, ModelJob, Objective, Provenance, Row, RowsJob, NoOpReporter, Tables, Task, render
from factory.data.rows import read_json, read_rows
from factory.errors import InputError
from factory.plugins import Registry, load_installed_registry
from factory.serve.remember import Remembering
from factory.stages.job import load_toolbox
from factory.worker import describe_stage_error

Say = Callable[[Mapping[str, Any]], None]
HERE = "the question"
RANKING = "ranking"
"""The form of answers that is about documents: those of the question, or of the build's own corpus."""


@dataclass
class Specialist:
    """A bundle with its base, ready to answer. `told` says where all of it lies."""

    told: Mapping[str, Any]
    kit: Remembering | None = field(default=None)

    @cached_property
    def base(self) -> Base:
        """The base model as the build resolved it."""
        return _base(Path(self.told["base"]))

    @property
    def registry(self) -> Registry:
        """What is installed, and the project-local folders that the command line named."""
        return load_installed_registry(tuple(map(Path, self.told.get("plugins", ()))))

    @cached_property
    def task(self) -> Task:
        """The task of the run's plan."""
        return cast(Task, self.registry.make_plugin("task", self.told["task"]))

    @cached_property
    def objective(self) -> Objective:
        """The objective of the run's plan."""
        return cast(Objective, self.registry.make_plugin("objective", self.told["objective"]))

    @cached_property
    def corpus(self) -> Tables:
        """The side tables of the build."""
        files = sorted((Path(self.told["gather"]) / "tables").glob("*.jsonl"))
        return {file.stem: {row.id: row for row in read_rows(file)} for file in files}

    def toolbox(self) -> Any:
        """The kit, with its memory."""
        self.kit = self.kit or Remembering(load_toolbox(), Path(self.told["cache"]) / f"{self.base.digest}.npz")
        return self.kit

    def reply(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question, and how its task shows it: `asked` holds `query`, and columns by name."""
        try:
            row = self.task.build_query_row(asked)
        except ValueError as error:
            raise InputError(f"{self.task.kind}: {error}") from error
        models = {name: _base(Path(folder)) for name, folder in self.told["models"].items()}
        common = {**self._common(self.corpus), "models": models}
        row = next(iter(self.task.prepare(RowsJob(**common, rows=[row], base=self.base, task=self.task))))
        work = ModelJob(**common, rows=[row], base=self.base, task=self.task, adapter=Path(self.told["bundle"]))
        answer = next(iter(self.objective.answer(work)))
        return {"output": answer.output, "shown": self.task.format_answer(row, self.corpus, answer)}

    def answer(self, query: str, documents: Sequence[Mapping[str, str]], top: int) -> list[dict[str, Any]]:
        """The best documents for a query, best first: of those given, or of the corpus by way of the first stage."""
        row, tables = self._given(query, documents) if documents else self._found(query)
        job = ModelJob(
            **self._common(tables), rows=[row], base=self.base, task=self.task, adapter=Path(self.told["bundle"])
        )
        answer = next(iter(self.objective.answer(job)))
        return self._ranked(row, tables, answer)[:top]

    def _common(self, tables: Tables) -> dict[str, Any]:
        root = Path(self.told["root"])
        return {
            "seed": int(self.told["seed"]),
            "report": NoOpReporter(),
            "root": root,
            "tables": tables,
            "toolbox": self.toolbox,
        }

    def _row(self, query: str, **columns: Any) -> Row:
        return Row("question", {self.task.text_column: query, "relevant": {}, **columns}, Provenance(HERE))

    def _given(self, query: str, documents: Sequence[Mapping[str, str]]) -> tuple[Row, Tables]:
        """A question about these documents alone."""
        table = self.task.tables[0]
        rows = {d["id"]: Row(d["id"], dict(d), Provenance(HERE), table=table) for d in documents}
        return self._row(query, candidates=list(rows)), {table: rows}

    def _found(self, query: str) -> tuple[Row, Tables]:
        """A question about the corpus: the task's first stage says which documents are worth a look."""
        job = RowsJob(**self._common(self.corpus), rows=[self._row(query)], base=self.base)
        return next(iter(self.task.prepare(job))), self.corpus

    def _ranked(self, row: Row, tables: Tables, answer: Answer) -> list[dict[str, Any]]:
        table, template = tables[self.task.tables[0]], self.task.get_templates()["document"]
        order = sorted(zip(row["candidates"], answer.output, strict=True), key=lambda pair: -pair[1])
        return [{"id": name, "score": score, "text": render(template, table[name].columns)} for name, score in order]


def _base(folder: Path) -> Base:
    facts = read_json(folder / "base.json")
    return Base(folder / "model", facts["id"], facts["revision"], facts["digest"], facts["licence"])


def reply(specialist: Specialist, request: Mapping[str, Any], say: Say | None = None) -> dict[str, Any]:
    """The answer to one request, or what went wrong with it. `say` is told of an answer while it is written."""
    try:
        if say is not None:
            specialist.toolbox().heard = lambda text: say({"so_far": text})
        if specialist.task.output_type != RANKING:
            return {"reply": specialist.reply({"query": request["query"], **request.get("fields", {})})}
        return {"answers": specialist.answer(request["query"], request.get("documents") or [], int(request["top"]))}
    except Exception as error:  # a boundary: the asker gets one line, the log the rest
        import traceback

        traceback.print_exc()
        text, code = describe_stage_error(error)
        return {"failed": text, "exit_code": code}


def main() -> None:
    """`python -m factory.serve.ask`: the first line of standard input says what to load, each further one asks."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as replies:
        os.dup2(2, 1)  # what libraries print must not be taken for a reply
        specialist = Specialist(json.loads(sys.stdin.readline()))

        def say(message: Mapping[str, Any]) -> None:
            replies.write(json.dumps(message) + "\n")

        for line in sys.stdin:
            request = json.loads(line)
            say(reply(specialist, request, say if request.get("aloud") else None))


if __name__ == "__main__":
    main()
