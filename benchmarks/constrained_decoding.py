"""Constrained decoding: how many answers in a grammar end, how many of these are valid, and what the grammar costs.

The base of a finished build, and the same architecture with random weights, answer in a JSON schema and in SQL over the
build's schema, greedily and sampled. An answer that ran into its token limit is incomplete and counts as not ended.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import torch
from one_run import build_training_job
from pydantic import BaseModel, Field
from transformers import AutoConfig, AutoModelForCausalLM

from factory.api import Grammar, Message
from factory.api.grammar import GrammarState
from factory.ml.cpu.backend import PackedBackend
from factory.ml.cpu.decoder import PackedDecoder
from factory_sql.sql_parser import parse_select

MAX_NEW_TOKENS = 120


class Ticket(BaseModel):
    """A customer's message as structured data."""

    mood: Literal["glad", "sad", "angry"]
    summary: str = Field(max_length=60)
    topics: list[Literal["billing", "delivery", "product", "other"]] = Field(min_length=1, max_length=3)
    urgent: bool
    order: int | None


def build_json_prompts(count: int) -> list[list[Message]]:
    """Return chats that ask for a Ticket."""
    text = "Describe this message as JSON with mood, summary, topics, urgent, order: 'Parcel {} is late, refund me.'"
    return [[Message("user", text.format(number))] for number in range(count)]


def is_valid(parse: Callable[[str], Any], text: str) -> bool:
    """Return whether a text parses."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def measure_decoding(
    decoder: PackedDecoder, chats: Sequence[Sequence[Message]], grammars: Sequence[Grammar | None],
    parse: Callable[[str], Any], temperature: float,
) -> str:
    """Generate and return one line of counts and rates; the time of the grammar is wall time inside its state."""
    prompts = [decoder.tokenize_chat(chat) for chat in chats]
    inside, choose = 0.0, GrammarState.choose_token

    def choose_timed(state: GrammarState, logits: torch.Tensor, best: int) -> int:
        nonlocal inside
        start = time.perf_counter()
        token = choose(state, logits, best)
        inside += time.perf_counter() - start
        return token

    GrammarState.choose_token = choose_timed  # type: ignore[method-assign]
    start = time.process_time()
    answers = decoder.generate_texts(
        prompts, MAX_NEW_TOKENS, grammars, temperature=temperature, seeds=range(len(prompts))
    )
    cpu, tokens = time.process_time() - start, sum(answer.tokens for answer in answers)
    GrammarState.choose_token = choose  # type: ignore[method-assign]
    ended = [answer.text for answer in answers if answer.finished]
    valid = sum(is_valid(parse, text) for text in ended)
    return (f"{len(ended)} of {len(answers)} ended, {valid} valid; {tokens / cpu:.0f} tokens per CPU second, "
            f"{1e6 * inside / tokens:.0f} µs per token in the grammar")


@click.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True), default=Path("specs/sql-generator.yaml"))
@click.option("--rows", default=200, help="prompts of each kind")
def main(spec: Path, rows: int) -> None:
    """Print a line for each model, language and way of decoding."""
    with TemporaryDirectory() as folder:
        job = build_training_job(spec, Path(folder))
        task, test, base = job.load_task(), job.open_input_rows("freeze", "test.jsonl")[:rows], job.load_base()
        tables = job.build_job_fields()["tables"]
        schema = Grammar(json.dumps(Ticket.model_json_schema()), "json-schema")
        languages = {
            "JSON": (build_json_prompts(rows), [schema] * rows, Ticket.model_validate_json),
            "SQL": ([task.render_messages(row) for row in test], [task.build_grammar(row, tables) for row in test],
                    lambda text: parse_select(text.rstrip(";"))),
        }
        trained = PackedBackend().load_decoder(base.folder, None)
        torch.manual_seed(7)
        noise = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(base.folder), dtype=trained.model.dtype,
            attn_implementation=trained.model.config._attn_implementation,
        ).eval()
        for name, decoder in (("base", trained), ("random", PackedDecoder(noise, trained.tokenizer))):
            for language, (chats, grammars, parse) in languages.items():
                for temperature in (0.0, 1.0):
                    line = measure_decoding(decoder, chats, grammars, parse, temperature)
                    click.echo(f"{name} {language} {'sampled' if temperature else 'greedy'}: {line}")


if __name__ == "__main__":
    main()
