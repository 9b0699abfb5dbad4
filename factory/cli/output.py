"""How commands speak: data to standard output, notes to standard error."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import click

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON to standard output."
)


def print_json(value: Any) -> None:
    """Write a JSON value to standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_line(text: str = "") -> None:
    """Write a line of the result to standard output."""
    click.echo(text)


def print_note(text: str) -> None:
    """Write a line about the work, not of its result, to standard error."""
    click.echo(text, err=True)


def style_bold(text: str) -> str:
    """Bold on a terminal; click strips it elsewhere."""
    return _apply_style(text, bold=True)


def style_dim(text: str) -> str:
    """Faint on a terminal."""
    return _apply_style(text, dim=True)


def _apply_style(text: str, **how: Any) -> str:
    return text if os.environ.get("NO_COLOR") else click.style(text, **how)


def format_badge(text: str, colour: str) -> str:
    """Black on a colour, on a terminal."""
    return _apply_style(text, fg="black", bg=colour, bold=True)


def is_interactive() -> bool:
    """Whether a person watches standard error."""
    return sys.stderr.isatty()


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Aligned columns under bold heads; the columns in `right` are aligned to the right."""
    cells = [list(heads), *[list(row) for row in rows]]
    widths = [max(_compute_display_width(row[i]) for row in cells) for i in range(len(heads))]
    lines = ["  ".join(_pad_cell(cell, widths[i], i in right) for i, cell in enumerate(row)).rstrip() for row in cells]
    return "\n".join([style_bold(lines[0]), *lines[1:]])


def _pad_cell(cell: str, width: int, right: bool) -> str:
    room = " " * (width - _compute_display_width(cell))
    return room + cell if right else cell + room


def _compute_display_width(cell: str) -> int:
    """Columns on a terminal: East Asian letters take two, combining marks none."""
    bare = click.unstyle(cell)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in bare)
