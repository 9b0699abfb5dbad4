"""Texts that a command reads from a file: lines, or one field of JSON objects."""

from __future__ import annotations

from pathlib import Path

from factory.errors import InputError

MAX_TEXTS = 5000
"""Texts that are read; more would not change a mean."""


def read_texts(file: Path, column: str) -> list[str]:
    """The first texts of a file: lines, or of a `.jsonl` the field `column`. Raises InputError with file and line."""
    texts = _read_jsonl_column(file, column) if file.suffix == ".jsonl" else _read_text_lines(file)
    if not texts:
        raise InputError(f"{file}: there is no text in it")
    return texts


def _read_jsonl_column(file: Path, column: str) -> list[str]:
    from factory.api import read_numbered_jsonl

    texts: list[str] = []
    for number, value in read_numbered_jsonl(file):
        text = value.get(column)
        if not isinstance(text, str):
            has = ", ".join(value)
            raise InputError(f"{file}:{number}: {column}: no such text; --column names another field: {has}")
        texts += [text] if text.strip() else []
        if len(texts) == MAX_TEXTS:
            break
    return texts


def _read_text_lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text("utf-8").splitlines() if line.strip()][:MAX_TEXTS]
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from error
