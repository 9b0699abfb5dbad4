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

from factory.api import Answer, Base, ModelJob, NoOpReporter, Objective, Provenance, Row, RowsJob, Tables, Task
from factory.data.rows import read_json, read_rows
from factory.engine.worker import describe_stage_error
from factory.errors import InputError
from factory.registry.registry import Registry, load_installed_registry
from factory.serve.caching_kit import CachingKit
from factory.stages.job import load_toolbox
from factory.text.templates import render

SendReply = Callable[[Mapping[str, Any]], None]
QUESTION_SOURCE = "the question"
RANKING = "ranking"
"""The form of answers that is about documents: those of the question, or of the build's own corpus."""


@dataclass
class LoadedSpecialist:
    """A bundle with its base, ready to answer. `told` says where all of it lies."""

    server_config: Mapping[str, Any]
    kit: CachingKit | None = field(default=None)

    @cached_property
    def base(self) -> Base:
        """The base model as the build resolved it."""
        return _load_base_folder(Path(self.server_config["base"]))

    @property
    def registry(self) -> Registry:
        """What is installed, and the project-local folders that the command line named."""
        return load_installed_registry(tuple(map(Path, self.server_config.get("plugins", ()))))

    @cached_property
    def task(self) -> Task:
        """The task of the run's plan."""
        return cast(Task, self.registry.make_plugin("task", self.server_config["task"]))

    @cached_property
    def objective(self) -> Objective:
        """The objective of the run's plan."""
        return cast(Objective, self.registry.make_plugin("objective", self.server_config["objective"]))

    @cached_property
    def corpus(self) -> Tables:
        """The side tables of the build."""
        files = sorted((Path(self.server_config["gather"]) / "tables").glob("*.jsonl"))
        return {file.stem: {row.id: row for row in read_rows(file)} for file in files}

    def load_caching_kit(self) -> Any:
        """The kit, with its memory."""
        self.kit = self.kit or CachingKit(load_toolbox(), Path(self.server_config["cache"]) / f"{self.base.digest}.npz")
        return self.kit

    def answer_question(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question, and how its task shows it: `asked` holds `query`, and columns by name."""
        try:
            row = self.task.build_query_row(asked)
        except ValueError as error:
            raise InputError(f"{self.task.kind}: {error}") from error
        models = {name: _load_base_folder(Path(folder)) for name, folder in self.server_config["models"].items()}
        common = {**self._build_job_fields(self.corpus), "models": models}
        row = next(iter(self.task.prepare(RowsJob(**common, rows=[row], base=self.base, task=self.task))))
        work = ModelJob(
            **common, rows=[row], base=self.base, task=self.task, adapter=Path(self.server_config["bundle"])
        )
        answer = next(iter(self.objective.answer(work)))
        return {"output": answer.output, "shown": self.task.format_answer(row, self.corpus, answer)}

    def rank_documents(self, query: str, documents: Sequence[Mapping[str, str]], top: int) -> list[dict[str, Any]]:
        """The best documents for a query, best first: of those given, or of the corpus by way of the first stage."""
        row, tables = self._build_row_from_documents(
            query, documents
        ) if documents else self._build_row_from_corpus(query)
        job = ModelJob(
            **self._build_job_fields(tables), rows=[row], base=self.base, task=self.task,
            adapter=Path(self.server_config["bundle"])
        )
        answer = next(iter(self.objective.answer(job)))
        return self._sort_documents_by_score(row, tables, answer)[:top]

    def _build_job_fields(self, tables: Tables) -> dict[str, Any]:
        root = Path(self.server_config["root"])
        return {
            "seed": int(self.server_config["seed"]),
            "report": NoOpReporter(),
            "root": root,
            "tables": tables,
            "kit_loader": self.load_caching_kit,
        }

    def _build_question_row(self, query: str, **columns: Any) -> Row:
        return Row("question", {self.task.text_column: query, "relevant": {}, **columns}, Provenance(QUESTION_SOURCE))

    def _build_row_from_documents(self, query: str, documents: Sequence[Mapping[str, str]]) -> tuple[Row, Tables]:
        """A question about these documents alone."""
        table = self.task.tables[0]
        rows = {d["id"]: Row(d["id"], dict(d), Provenance(QUESTION_SOURCE), table=table) for d in documents}
        return self._build_question_row(query, candidates=list(rows)), {table: rows}

    def _build_row_from_corpus(self, query: str) -> tuple[Row, Tables]:
        """A question about the corpus: the task's first stage says which documents are worth a look."""
        job = RowsJob(**self._build_job_fields(self.corpus), rows=[self._build_question_row(query)], base=self.base)
        return next(iter(self.task.prepare(job))), self.corpus

    def _sort_documents_by_score(self, row: Row, tables: Tables, answer: Answer) -> list[dict[str, Any]]:
        table, template = tables[self.task.tables[0]], self.task.get_templates()["document"]
        order = sorted(zip(row["candidates"], answer.output, strict=True), key=lambda pair: -pair[1])
        return [{"id": name, "score": score, "text": render(template, table[name].columns)} for name, score in order]


def _load_base_folder(folder: Path) -> Base:
    facts = read_json(folder / "base.json")
    return Base(folder / "model", facts["id"], facts["revision"], facts["digest"], facts["licence"])


def handle_request(
    specialist: LoadedSpecialist, request: Mapping[str, Any], say: SendReply | None = None
) -> dict[str, Any]:
    """The answer to one request, or what went wrong with it. `say` is told of an answer while it is written."""
    try:
        if say is not None:
            specialist.load_caching_kit().on_text = lambda text: say({"so_far": text})
        if specialist.task.output_type != RANKING:
            return {"reply": specialist.answer_question({"query": request["query"], **request.get("fields", {})})}
        return {
            "answers": specialist.rank_documents(request["query"], request.get("documents") or [], int(request["top"]))
        }
    except Exception as error:  # a boundary: the asker gets one line, the log the rest
        import traceback

        traceback.print_exc()
        text, code = describe_stage_error(error)
        return {"failed": text, "exit_code": code}


def main() -> None:
    """`python -m factory.serve.server`: the first line of standard input says what to load, each further one asks."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as replies:
        os.dup2(2, 1)  # what libraries print must not be taken for a reply
        specialist = LoadedSpecialist(json.loads(sys.stdin.readline()))

        def say(message: Mapping[str, Any]) -> None:
            replies.write(json.dumps(message) + "\n")

        for line in sys.stdin:
            request = json.loads(line)
            say(handle_request(specialist, request, say if request.get("aloud") else None))


if __name__ == "__main__":
    main()
