"""The server process of a specialist: one JSON request per line, one JSON reply per line. On request, lines with the
text so far precede the reply of a generative model.

The first line configures what to load. Output of libraries goes to the log.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from factory import network_policy
from factory.api import (
    Answer,
    Artifact,
    Base,
    ModelJob,
    NoOpReporter,
    Objective,
    Provenance,
    Row,
    RowsJob,
    Tables,
    Task,
)
from factory.bundle import open_bundle_artifact
from factory.data.rows import read_side_tables
from factory.engine.worker import describe_stage_error
from factory.errors import InputError
from factory.registry.registry import Registry, load_installed_registry
from factory.serve.caching_kit import CachingKit
from factory.stages.delivery import load_responder
from factory.stages.job import load_toolbox, read_resolved_base
from factory.text.templates import render

SendReply = Callable[[Mapping[str, Any]], None]
QUESTION_SOURCE = "the question"
RANKING = "ranking"
"""The output type of specialists that rank documents: those of the request, or of the build's corpus."""


@dataclass
class LoadedSpecialist:
    """A bundle with its base, loaded on first use; `server_config` has the folders and plugin blocks."""

    server_config: Mapping[str, Any]
    kit: CachingKit | None = field(default=None)

    @cached_property
    def base(self) -> Base:
        return read_resolved_base(Path(self.server_config["base"]))

    @cached_property
    def models(self) -> dict[str, Base]:
        """The further models of the build, by alias."""
        return {name: read_resolved_base(Path(folder)) for name, folder in self.server_config["models"].items()}

    @cached_property
    def artifact(self) -> Artifact:
        """What the bundle carries, over the base."""
        return open_bundle_artifact(Path(self.server_config["bundle"]), self.base)

    @property
    def registry(self) -> Registry:
        """The installed plugins, and those of the folders named on the command line."""
        return load_installed_registry(tuple(map(Path, self.server_config.get("plugins", ()))))

    @cached_property
    def task(self) -> Task:
        return cast(Task, self.registry.make_plugin("task", self.server_config["task"]))

    @cached_property
    def objective(self) -> Objective:
        return load_responder(self.registry, self.server_config, self.server_config.get("contender", ""), self.task)

    @cached_property
    def corpus(self) -> Tables:
        """The side tables of the build."""
        return read_side_tables(Path(self.server_config["gather"]))

    def load_caching_kit(self) -> Any:
        if self.kit is None:
            vectors = Path(self.server_config["cache"]) / f"{self.base.digest}.npz"
            self.kit = CachingKit(load_toolbox(self.server_config.get("backend", "auto")), vectors)
        return self.kit

    def answer_question(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a question (`query`, and columns by name), and its rendering by the task."""
        try:
            row = self.task.build_query_row(question)
        except ValueError as error:
            raise InputError(f"{self.task.kind}: {error}") from error
        common = self._build_job_fields(self.corpus)
        row = next(iter(self.task.prepare(RowsJob(**common, rows=[row], task=self.task))))
        answer = self._answer_row(row, common)
        shown = self.task.format_answer(row, self.corpus, answer)
        if answer.incomplete:
            shown += "\nincomplete: the answer ran into the token limit (objective.max_new_tokens)"
        return {"output": answer.output, "shown": shown, "incomplete": answer.incomplete}

    def rank_documents(self, query: str, documents: Sequence[Mapping[str, str]], top: int) -> list[dict[str, Any]]:
        """Return the best of the given documents, best first; without any, of those that the task retrieves."""
        table, origin = self.task.tables[0], Provenance(QUESTION_SOURCE)
        row = Row("question", {self.task.text_column: query, "relevant": {}}, origin)
        if documents:
            entries = {entry["id"]: Row(entry["id"], dict(entry), origin, table=table) for entry in documents}
            row, tables = row.with_columns(candidates=list(entries)), cast(Tables, {table: entries})
        else:
            tables = self.corpus
            row = next(iter(self.task.prepare(RowsJob(**self._build_job_fields(tables), rows=[row]))))
        scores = self._answer_row(row, self._build_job_fields(tables)).output
        ranked = sorted(zip(row["candidates"], scores, strict=True), key=lambda pair: -pair[1])[:top]
        texts, template = tables[table], self.task.get_templates()["document"]
        return [{"id": name, "score": score, "text": render(template, texts[name].columns)} for name, score in ranked]

    def _build_job_fields(self, tables: Tables) -> dict[str, Any]:
        return {
            "seed": int(self.server_config["seed"]), "report": NoOpReporter(), "tables": tables, "base": self.base,
            "root": Path(self.server_config["root"]), "kit_loader": self.load_caching_kit, "models": self.models,
        }

    def _answer_row(self, row: Row, fields: Mapping[str, Any]) -> Answer:
        work = ModelJob(**fields, rows=[row], task=self.task, artifact=self.artifact)
        answer = next(iter(self.objective.answer(work)))
        # What the objective says of all its answers, such as from where on it abstains, is told with each one.
        told = {name: float(value) for name, value in work.facts.items() if isinstance(value, int | float)}
        return replace(answer, details={**told, **answer.details})


def handle_request(
    specialist: LoadedSpecialist, request: Mapping[str, Any], send: SendReply | None = None
) -> dict[str, Any]:
    """Return the reply to a request, or its error. `send` gets the text so far while an answer is generated."""
    try:
        if send is not None:
            specialist.load_caching_kit().on_text = lambda text: send({"so_far": text})
        query = request["query"]
        if specialist.task.output_type != RANKING:
            return {"reply": specialist.answer_question({"query": query, **request.get("fields", {})})}
        return {"answers": specialist.rank_documents(query, request.get("documents") or [], int(request["top"]))}
    except Exception as error:  # the client gets one line, the log the traceback
        import traceback

        traceback.print_exc()
        text, code = describe_stage_error(network_policy.find_denial(error) or error)
        return {"failed": text, "exit_code": code}


def main() -> None:
    """Run `python -m factory.serve.server`: standard input has the configuration, then one request per line."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as replies:
        os.dup2(2, 1)  # output of libraries must not be taken for a reply
        network_policy.install_audit_hook()
        network_policy.deny_all_hosts("the specialist")  # also while its plugins are imported
        specialist = LoadedSpecialist(json.loads(sys.stdin.readline()))

        def send(message: Mapping[str, Any]) -> None:
            replies.write(json.dumps(message) + "\n")

        with network_policy.enforce_network_policy("the specialist", specialist.server_config.get("hosts", ())):
            for line in sys.stdin:
                request = json.loads(line)
                send(handle_request(specialist, request, send if request.get("aloud") else None))


if __name__ == "__main__":
    main()
