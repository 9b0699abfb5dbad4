"""Output helpers of the commands: results go to standard output, notes to standard error."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import click

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON."
)


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_line(text: str = "") -> None:
    """Print a line of the result to standard output."""
    click.echo(text)


def print_note(text: str) -> None:
    """Print a note or warning, which is not part of the result, to standard error."""
    click.echo(text, err=True)


def style_bold(text: str) -> str:
    """Return the text in bold; Click strips the style when the output is not a terminal."""
    return _apply_style(text, bold=True)


def style_dim(text: str) -> str:
    """Return the text dimmed."""
    return _apply_style(text, dim=True)


def _apply_style(text: str, **styles: Any) -> str:
    return text if os.environ.get("NO_COLOR") else click.style(text, **styles)


def format_badge(text: str, colour: str) -> str:
    """Return the text in bold black on a coloured background."""
    return _apply_style(text, fg="black", bg=colour, bold=True)


def is_interactive() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return aligned columns under bold heads; columns whose index is in `right` are right-aligned."""
    cells = [list(heads), *[list(row) for row in rows]]
    widths = [max(_compute_display_width(row[i]) for row in cells) for i in range(len(heads))]
    lines = ["  ".join(_pad_cell(cell, widths[i], i in right) for i, cell in enumerate(row)).rstrip() for row in cells]
    return "\n".join([style_bold(lines[0]), *lines[1:]])


def _pad_cell(cell: str, width: int, right: bool) -> str:
    padding = " " * (width - _compute_display_width(cell))
    return padding + cell if right else cell + padding


def _compute_display_width(cell: str) -> int:
    """Return the terminal width of a cell: wide East Asian characters take two columns, combining marks none."""
    bare = click.unstyle(cell)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in bare)
