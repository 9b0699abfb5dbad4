"""Reading JSON, one object a line, with the line's number for whoever must be told about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from factory.errors import InputError


def read_numbered_jsonl(
    path: Path, shown: str = "", bad: Callable[[str], None] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object); empty lines are passed over. `shown` is how messages call the file.

    Raises InputError `file:line: …` for what is not UTF-8, not JSON, or not an object; with `bad` (a job's own) that
    is told of it, and the line left out when it does not raise.
    """
    shown = shown or str(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{shown}: {error.strerror or error}") from error
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = _parse_json_object(line, f"{shown}:{number}")
            except InputError as error:
                if bad is None:
                    raise
                bad(str(error))
            else:
                yield number, value


def refuse_json_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's parser would take."""
    raise ValueError(f"{name} has no JSON form")


def _parse_json_object(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line.rstrip().decode("utf-8-sig"), parse_constant=refuse_json_constant)
        if b"\\ud" in line.lower():
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair could never be written again
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8: {error.reason} at byte {error.start} of the line") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error.msg} at column {error.colno}") from error
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: half of a surrogate pair is no text") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: a {type(value).__name__} where an object {{…}} is wanted")
    return value
