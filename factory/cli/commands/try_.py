"""`factory try`: ask a specialist. A reranker is asked with a query, about given documents or about its own corpus."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import out

if TYPE_CHECKING:
    from factory.serve.asker import Asker


@click.command("try")
@click.argument("name")
@click.option("-q", "--query", default="", help="What to ask; without it, a prompt asks for queries.")
@click.option("-d", "--document", "texts", multiple=True, help="A document to rank; give several.")
@click.option(
    "--documents", "file", type=click.Path(path_type=Path), help="Documents, one a line; .jsonl: id and text."
)
@click.option("--top", default=10, show_default=True, help="At most so many answers.")
@out.json_option
def command(name: str, query: str, texts: Sequence[str], file: Path | None, top: int, as_json: bool) -> None:
    """Ask a specialist. NAME is a specialist, or NAME@VERSION.

    Without documents it searches the corpus that it was built with.
    """
    from factory.home import home
    from factory.serve.asker import Asker

    documents = [{"id": str(i), "text": text} for i, text in enumerate(texts, 1)] + (_read(file) if file else [])
    with Asker(home(), name) as asker:
        out.note("the model is loading; the first question about a corpus reads all of it")
        for asked in [query] if query else _queries():
            _answer(asker, asked, documents, top, as_json)


def _answer(asker: Asker, query: str, documents: Sequence[Mapping[str, str]], top: int, as_json: bool) -> None:
    from factory.report.words import clean, number

    answers = asker.ask(query, documents, top)
    if as_json:
        out.emit({"query": query, "answers": answers})
        return
    rows = [[str(i), clean(a["id"]), number(a["score"]), clean(a["text"], 100)] for i, a in enumerate(answers, 1)]
    out.say(out.table(["", "document", "score", "text"], rows, right=(0, 2)))


def _queries() -> Iterator[str]:
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


def _read(file: Path) -> list[dict[str, str]]:
    """The documents of a file: lines of text, or JSONL objects with `text` and maybe `id`."""
    from factory.errors import InputError

    if file.suffix == ".jsonl":
        from factory.data.rows import read_jsonl

        return [_document(file, i, value) for i, value in enumerate(read_jsonl(file), 1)]
    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from error
    return [{"id": str(i), "text": line} for i, line in enumerate(lines, 1) if line.strip()]


def _document(file: Path, line: int, value: Mapping[str, Any]) -> dict[str, str]:
    from factory.errors import InputError

    if not isinstance(value.get("text"), str):
        raise InputError(f"{file}:{line}: a document needs a 'text'")
    return {**value, "id": str(value.get("id", line))}
