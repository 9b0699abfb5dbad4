"""`factory try`: query a specialist. A ranker ranks given documents, or searches the corpus it was built with."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from factory.cli import output, spec_args
from factory.cli.text_files import read_text_lines
from factory.errors import InputError
from factory.store.paths import find_home
from factory.views.formatting import clean_line, format_number


@click.command("try")
@click.argument("name")
@click.option("-q", "--query", default="", help="The query; if omitted, read from a prompt or standard input.")
@click.option("-d", "--document", "texts", multiple=True, help="A document to rank; repeatable.")
@click.option("--documents", "file", type=click.Path(path_type=Path),
              help="File of documents to rank: one per line, or .jsonl with text and optionally id.")
@click.option("--with", "pairs", multiple=True, metavar="COLUMN=VALUE", help="Set another input column; repeatable.")
@click.option("--top", default=10, show_default=True, help="Maximum number of answers.")
@spec_args.plugins_option
@output.json_option
def command(  # noqa: PLR0913 (one argument per option)
    name: str, query: str, texts: Sequence[str], file: Path | None, pairs: Sequence[str], top: int,
    folders: Sequence[Path], as_json: bool,
) -> None:
    """Query a specialist. NAME is a specialist, or NAME@VERSION.

    Without documents, a ranker searches the corpus it was built with. Other input columns, such as the history of a
    conversation, are given with --with; a value that is valid JSON is parsed.
    """
    from factory.serve.client import SpecialistClient, parse_columns

    fields = parse_columns(pairs)
    documents = [{"id": str(i), "text": text} for i, text in enumerate(texts, 1)]
    documents += _read_documents_file(file) if file else []
    with SpecialistClient(find_home(), name, folders) as client:
        output.print_note("loading the model; the first query of a corpus encodes all of its documents")
        for text in [query] if query else _read_queries():
            _print_answers(text, client.ask(text, documents, top, fields), as_json)


def _print_answers(query: str, response: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        output.print_json({"query": query, **response})
        return
    if "reply" in response:
        output.print_line("\n".join(clean_line(line) for line in str(response["reply"]["shown"]).splitlines()))
        return
    rows = [
        [str(i), clean_line(answer["id"]), format_number(answer["score"]), clean_line(answer["text"], 100)]
        for i, answer in enumerate(response["answers"], 1)
    ]
    output.print_line(output.format_rows(["", "document", "score", "text"], rows, right=(0, 2)))


def _read_queries() -> Iterator[str]:
    """Yield queries from a prompt until an empty line, or the lines of a pipe."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    while True:
        try:
            query = click.prompt("query", default="", show_default=False, err=True).strip()
        except click.Abort:
            query = ""
        if not query:
            return
        yield query


def _read_documents_file(file: Path) -> list[dict[str, str]]:
    """Read documents: lines of text, or JSONL objects with `text` and optionally `id`."""
    if file.suffix != ".jsonl":
        return [{"id": str(i), "text": line} for i, line in enumerate(read_text_lines(file), 1) if line.strip()]
    from factory.api import read_numbered_jsonl

    documents = []
    for number, value in read_numbered_jsonl(file):
        if not isinstance(value.get("text"), str):
            raise InputError(f"{file}:{number}: text: missing, or not a string")
        documents.append({**value, "id": str(value.get("id", number))})
    return documents
