"""Reads texts from a file given to a command: lines, or one field of JSONL objects."""

from __future__ import annotations

from pathlib import Path

from factory.errors import InputError

MAX_TEXTS = 5000
"""Maximum number of texts read: enough for a stable mean."""


def read_texts(file: Path, column: str) -> list[str]:
    """Return up to MAX_TEXTS texts: lines, or the field `column` of `.jsonl`. Raises InputError with file and line."""
    if file.suffix == ".jsonl":
        texts = _read_jsonl_column(file, column)
    else:
        texts = [line for line in read_text_lines(file) if line.strip()][:MAX_TEXTS]
    if not texts:
        raise InputError(f"{file}: contains no text")
    return texts


def _read_jsonl_column(file: Path, column: str) -> list[str]:
    from factory.api import read_numbered_jsonl

    texts: list[str] = []
    for number, value in read_numbered_jsonl(file):
        text = value.get(column)
        if not isinstance(text, str):
            columns = ", ".join(value)
            raise InputError(f"{file}:{number}: {column}: missing, or not a string; set --column to one of: {columns}")
        texts += [text] if text.strip() else []
        if len(texts) == MAX_TEXTS:
            break
    return texts


def read_text_lines(file: Path) -> list[str]:
    """Return the lines of a UTF-8 file. Raises InputError if it cannot be read or decoded."""
    try:
        return file.read_text("utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from error
