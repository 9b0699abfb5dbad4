"""Constrained decoding: whether every finished answer is in its language, and what the grammar costs.

The base of a finished build, and the same architecture with random weights, answer in a JSON Schema and in SQL over the
build's schema, greedily and sampled, until enough answers are finished. An answer that ran into its token limit is
incomplete. JSON is validated by jsonschema; SQL is parsed by sqlglot and compiled by SQLite on the build's database.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import jsonschema
import torch
from entry import run_main
from one_run import build_training_job
from pydantic import BaseModel, Field
from transformers import AutoConfig, AutoModelForCausalLM

from factory.api import Grammar, Message
from factory.api.grammar import GrammarState
from factory.ml.cpu.backend import PackedBackend
from factory.ml.cpu.decoder import PackedDecoder
from factory.stages.job import StageJob
from factory_sql.sql_parser import parse_select

BATCH, MAX_ASKED = 96, 8000
"""Prompts of one call, and of one cell at most."""
OUTSIDE = ("syntax error", "unrecognized token", "incomplete input", "wrong number of arguments", "DISTINCT")
"""Errors of SQLite that a grammar must exclude; others concern the meaning (an alias that nothing defines)."""


class Ticket(BaseModel, extra="forbid"):
    """A customer's message as structured data."""

    mood: Literal["glad", "sad", "angry"]
    summary: str = Field(max_length=60)
    topics: list[Literal["billing", "delivery", "product", "other"]] = Field(min_length=1, max_length=3)
    urgent: bool
    order: int | None = Field(ge=0, le=99_999)


@dataclass(frozen=True)
class Language:
    """Prompts with their grammar; `check` returns "valid", or "compiles" where that is more, or what is wrong."""

    name: str
    limit: int
    questions: Sequence[tuple[Sequence[Message], Grammar]]
    check: Callable[[str], str]

    def get_question(self, number: int) -> tuple[Sequence[Message], Grammar]:
        """Return a question; a repeated one carries the number of its repetition, so that no two are alike."""
        repetition, index = divmod(number, len(self.questions))
        messages, grammar = self.questions[index]
        last = messages[-1]
        text = f"{last.content} ({repetition})" if repetition else last.content
        return [*messages[:-1], Message(last.role, text)], grammar


@dataclass
class Cell:
    """What one model answered in one language in one way."""

    name: str
    asked: int = 0
    finished: int = 0
    tokens: int = 0
    seconds: float = 0.0
    grammar_seconds: float = 0.0
    verdicts: list[str] = field(default_factory=list)

    def render_line(self) -> str:
        """Return the counts and rates in one line."""
        compiled = self.verdicts.count("compiles")
        valid = compiled + self.verdicts.count("valid")
        rate, micros = self.tokens / self.seconds, 1e6 * self.grammar_seconds / self.tokens
        return (f"{self.name:24} {self.asked:6} {self.finished:9} {valid:6} {compiled or '':>9} "
                f"{self.asked - self.finished:11} {rate:8.0f} {micros:11.0f}")


HEADER = (f"{'':24} {'asked':>6} {'finished':>9} {'valid':>6} {'compiles':>9} {'incomplete':>11} {'tokens/s':>8} "
          f"{'µs in grammar':>11}")


@contextmanager
def time_grammar(cell: Cell) -> Iterator[None]:
    """Within the context, add the wall time inside grammar states to a cell."""
    names = ("choose_token", "take_forced_tokens")
    methods: dict[str, Any] = {name: getattr(GrammarState, name) for name in names}

    def wrap(method: Any) -> Any:
        def run_timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = method(*arguments)
            cell.grammar_seconds += time.perf_counter() - start
            return result

        return run_timed

    for name, method in methods.items():
        setattr(GrammarState, name, wrap(method))
    yield
    for name, method in methods.items():
        setattr(GrammarState, name, method)


def measure_cell(decoder: PackedDecoder, name: str, language: Language, temperature: float, wanted: int) -> Cell:
    """Ask until enough answers are finished; the first `wanted` of them are checked."""
    cell = Cell(name)
    texts: list[str] = []
    while len(texts) < wanted and cell.asked < MAX_ASKED:
        seeds = range(cell.asked, cell.asked + BATCH)
        part = [language.get_question(number) for number in seeds]
        prompts = [decoder.tokenize_chat(chat) for chat, _ in part]
        start = time.process_time()
        with time_grammar(cell):
            answers = decoder.generate_texts(
                prompts, language.limit, [grammar for _, grammar in part], temperature=temperature, seeds=seeds
            )
        cell.seconds += time.process_time() - start
        cell.asked += len(part)
        cell.tokens += sum(answer.tokens for answer in answers)
        texts += [answer.text for answer in answers if answer.finished]
    cell.finished = len(texts)
    cell.verdicts = [language.check(text) for text in texts]
    return cell


def build_json_language(count: int) -> Language:
    """Return chats that ask for a Ticket."""
    schema = Ticket.model_json_schema()
    text = "Describe this message as JSON with mood, summary, topics, urgent, order: 'Parcel {} is late, refund me.'"
    grammar = Grammar(json.dumps(schema), "json-schema")

    def check(answer: str) -> str:
        try:
            jsonschema.validate(json.loads(answer), schema)
        except (ValueError, jsonschema.ValidationError) as error:
            return str(error)
        return "valid"

    return Language("JSON", 250, [([Message("user", text.format(n))], grammar) for n in range(count)], check)


def build_sql_language(job: StageJob, limit: int) -> Language:
    """Return the build's test questions and then its training questions, over the database of the first."""
    rows = [*job.open_input_rows("freeze", "test.jsonl"), *job.open_input_rows("freeze", "train.jsonl")]
    task, tables = job.load_task(), job.build_job_fields()["tables"]
    script = (job.root / str(tables["databases"][rows[0]["db"]]["file"])).read_text(encoding="utf-8")
    database = sqlite3.connect(":memory:")
    database.executescript(script)

    def check(answer: str) -> str:
        try:
            parse_select(answer.rstrip(";"))
            database.execute(f"EXPLAIN {answer}")
        except ValueError as error:
            return str(error)
        except sqlite3.Error as error:
            return str(error) if any(words in str(error) for words in OUTSIDE) else "valid"
        return "compiles"

    questions = [(task.render_messages(row), task.build_grammar(row, tables)) for row in rows]
    return Language("SQL", limit, questions, check)


def build_random_decoder(trained: PackedDecoder, folder: Path) -> PackedDecoder:
    """Return a decoder of the same kind and tokenizer whose weights are noise.

    They are wide, and the head is not tied to the embeddings, so that the likeliest token changes from token to token:
    a model that repeats one token fills every list, and its answers are incomplete at any limit. Two layers will do.
    """
    torch.manual_seed(7)
    config = AutoConfig.from_pretrained(folder)
    config.update({"num_hidden_layers": 2, "tie_word_embeddings": False, "initializer_range": 0.2})
    attention = trained.model.config._attn_implementation
    noise = AutoModelForCausalLM.from_config(config, dtype=trained.model.dtype, attn_implementation=attention)
    return PackedDecoder(noise.eval(), trained.tokenizer)


@click.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True), default=Path("specs/sql-generator.yaml"))
@click.option("--finished", default=200, help="finished answers of each kind")
@click.option("--only", default="", help="cells whose name contains this")
def main(spec: Path, finished: int, only: str) -> None:
    """Print a line for each model, language and way of decoding, and what is wrong with answers."""
    with TemporaryDirectory() as folder:
        job = build_training_job(spec, Path(folder))
        base = job.load_base()
        trained = PackedBackend().load_decoder(base.folder, None)
        decoders = {"base": trained, "random": build_random_decoder(trained, base.folder)}
        click.echo(HEADER)
        for model, decoder in decoders.items():
            for language in (build_json_language(1000), build_sql_language(job, 250 if model == "base" else 120)):
                for temperature in (0.0, 1.0):
                    name = f"{model} {language.name} {'sampled' if temperature else 'greedy'}"
                    if only not in name:
                        continue
                    cell = measure_cell(decoder, name, language, temperature, finished)
                    click.echo(cell.render_line())
                    for problem in sorted(set(cell.verdicts) - {"valid", "compiles"}):
                        click.echo(f"  {problem}")


if __name__ == "__main__":
    run_main(main)
