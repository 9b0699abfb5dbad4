"""Reading JSONL files with line numbers, so that errors can name the line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from factory.errors import InputError
from factory.text.file_formats import ARRAY_PROBLEM, HEAD_BYTES, describe_binary_format, describe_json_layout


def read_numbered_jsonl(
    path: Path, shown: str = "", bad: Callable[[str], None] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object), skipping empty lines. `shown` is the name of the file in messages.

    Raises InputError `file:line: …` for a line that is not UTF-8, not JSON, or not an object. With `bad` (such as
    `job.report_bad_record`) the message goes there instead, and the line is skipped unless that raises. Raises
    InputError `file: …` for a file of another format.
    """
    shown = shown or str(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{shown}: {error.strerror or error}") from error
    with file:
        if what := describe_binary_format(file.peek(HEAD_BYTES)[:HEAD_BYTES]):
            raise InputError(f"{shown}: expected one JSON object per line; this file is {what}")
        is_first = True
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            hint, is_first = describe_json_layout(line) if is_first else "", False
            try:
                value = _parse_json_object(line, f"{shown}:{number}", hint)
            except InputError as error:
                if bad is None:
                    raise
                bad(str(error))
            else:
                yield number, value


def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of its pairs. Raises ValueError for a key that occurs twice: one of its values would be lost."""
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} occurs twice in one object; keep one")
    return value


def parse_finite_float(text: str) -> float:
    """Return a number. Raises ValueError for one that is too large for a float, such as `1e999`."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def read_first_object(path: Path) -> dict[str, Any]:
    """Return the first object of a JSONL file; {} if it is of another format or has none."""
    try:
        return next((value for _, value in read_numbered_jsonl(path)), {})
    except InputError:
        return {}


def refuse_json_constant(name: str) -> NoReturn:
    """Raise ValueError for NaN and Infinity, which Python's JSON parser accepts."""
    raise ValueError(f"{name} is not valid JSON")


STRICT_DECODER = json.JSONDecoder(
    object_pairs_hook=build_object, parse_float=parse_finite_float, parse_constant=refuse_json_constant
)


def _parse_json_object(line: bytes, where: str, hint: str = "") -> dict[str, Any]:
    """Return the object on a line. Raises InputError; `hint` is what the file may be if this is none."""
    try:
        value = STRICT_DECODER.decode(line.rstrip().decode("utf-8-sig"))
        if b"\\ud" in line.lower():
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate could never be written as UTF-8
    except UnicodeDecodeError as error:
        why = f"{error.reason} at byte {error.start} of the line; save the file as UTF-8 (JSON has no other encoding)"
        raise InputError(f"{where}: not UTF-8: {why}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: {hint or f'not JSON: {error.msg} at column {error.colno}'}") from error
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: contains a lone surrogate, which is not valid text") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    if not isinstance(value, dict):
        is_array = hint == ARRAY_PROBLEM and any(isinstance(item, dict) for item in value)
        why = hint if is_array else f"expected a JSON object {{…}}, got {type(value).__name__}"
        raise InputError(f"{where}: {why}")
    return value
