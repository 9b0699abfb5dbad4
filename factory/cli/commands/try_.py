"""`factory try`: ask a specialist. One that ranks is asked about given documents, or about its own corpus."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output, spec_args

if TYPE_CHECKING:
    pass


@click.command("try")
@click.argument("name")
@click.option("-q", "--query", default="", help="What to ask; without it, a prompt asks for queries.")
@click.option("-d", "--document", "texts", multiple=True, help="A document to rank; give several.")
@click.option(
    "--documents", "file", type=click.Path(path_type=Path), help="Documents, one a line; .jsonl: id and text."
)
@click.option("--with", "pairs", multiple=True, metavar="COLUMN=VALUE", help="A further column of the question.")
@click.option("--top", default=10, show_default=True, help="At most so many answers.")
@spec_args.plugins_option
@output.json_option
def command(  # noqa: PLR0913 (one for each option)
    name: str, query: str, texts: Sequence[str], file: Path | None, pairs: Sequence[str], top: int,
    folders: Sequence[Path], as_json: bool,
) -> None:
    """Ask a specialist. NAME is a specialist, or NAME@VERSION.

    One that ranks searches the corpus that it was built with, when no documents are given. What else a question has,
    such as the history of a conversation, is given by --with; a value that is JSON is read as such.
    """
    from factory.serve.client import SpecialistClient
    from factory.store.paths import find_home

    fields = _parse_column_options(pairs)
    documents = [{"id": str(i), "text": text} for i, text in enumerate(texts, 1)] + (_read_documents_file(file) if file else [])
    with SpecialistClient(find_home(), name, folders) as asker:
        output.print_note("the model is loading; the first question about a corpus reads all of it")
        for asked in [query] if query else _read_queries():
            _print_answers(asked, asker.ask(asked, documents, top, fields), as_json)


def _parse_column_options(pairs: Sequence[str]) -> dict[str, Any]:
    """`history=["Who was Ada?", "A mathematician."]` → the column and its value."""
    import json

    from factory.errors import InputError

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--with {pair}: write COLUMN=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _print_answers(query: str, found: Mapping[str, Any], as_json: bool) -> None:
    from factory.views.formatting import clean_line, format_number

    if as_json:
        output.print_json({"query": query, **found})
        return
    if "reply" in found:
        output.print_line("\n".join(clean_line(line) for line in str(found["reply"]["shown"]).splitlines()))
        return
    answers = found["answers"]
    rows = [[str(i), clean_line(a["id"]), format_number(a["score"]), clean_line(a["text"], 100)] for i, a in enumerate(answers, 1)]
    output.print_line(output.format_table(["", "document", "score", "text"], rows, right=(0, 2)))


def _read_queries() -> Iterator[str]:
    """What a person types until an empty line, or the lines of a pipe."""
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
    """The documents of a file: lines of text, or JSONL objects with `text` and maybe `id`."""
    from factory.errors import InputError

    if file.suffix == ".jsonl":
        from factory.data.rows import read_jsonl

        return [_parse_document_object(file, i, value) for i, value in enumerate(read_jsonl(file), 1)]
    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from error
    return [{"id": str(i), "text": line} for i, line in enumerate(lines, 1) if line.strip()]


def _parse_document_object(file: Path, line: int, value: Mapping[str, Any]) -> dict[str, str]:
    from factory.errors import InputError

    if not isinstance(value.get("text"), str):
        raise InputError(f"{file}:{line}: a document needs a 'text'")
    return {**value, "id": str(value.get("id", line))}
