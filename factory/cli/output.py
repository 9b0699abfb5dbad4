"""Output helpers of the commands: results go to standard output, notes to standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from factory.views.formatting import clean_line

if TYPE_CHECKING:
    from factory.tui.snapshot import ScreenSnapshot
    from factory.views.elements import Table, Text

DEFAULT_WIDTH = 100
"""Columns when the output is not a terminal, and the maximum width of wrapped text."""
TONE_STYLES: Mapping[str, Mapping[str, Any]] = {
    "head": {"bold": True}, "strong": {"bold": True}, "dim": {"dim": True}, "good": {"fg": "green"},
    "bad": {"fg": "red"}, "warn": {"fg": "yellow"},
}
UNLIMITED_WIDTH = 10_000
"""Columns of a table that is written to a file or a pipe."""
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_line(text: str = "") -> None:
    """Print a line of the result to standard output."""
    click.echo(text)


def print_note(text: str) -> None:
    """Print a note or warning, which is not part of the result, to standard error."""
    click.echo(text, err=True)


def print_snapshot(snapshot: ScreenSnapshot, as_json: bool, width: int = 0) -> None:
    """Print a screen of the terminal interface, as JSON or as text of `width` columns (0: those of the terminal)."""
    if as_json:
        print_json(snapshot.data)
    else:
        print_line(snapshot.render(width or get_terminal_width()))


def style_bold(text: str) -> str:
    """Return the text in bold; Click strips the style when the output is not a terminal."""
    return _apply_style(text, bold=True)


def style_dim(text: str) -> str:
    """Return the text dimmed."""
    return _apply_style(text, dim=True)


def _apply_style(text: str, **styles: Any) -> str:
    # Click ignores NO_COLOR (https://no-color.org).
    return text if os.environ.get("NO_COLOR") else click.style(text, **styles)


def format_badge(text: str, colour: str) -> str:
    """Return the text in bold black on a coloured background."""
    return _apply_style(text, fg="black", bg=colour, bold=True)


def is_interactive() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()


def get_terminal_width() -> int:
    """Return the number of columns of the terminal; DEFAULT_WIDTH if there is none."""
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def fill_line(text: str, indent: str = "", hanging: str = "") -> str:
    """Return one line of text wrapped to the terminal, without control sequences; `hanging` indents its other lines."""
    width = min(DEFAULT_WIDTH, get_terminal_width())
    return textwrap.fill(clean_line(text), width, initial_indent=indent, subsequent_indent=hanging)


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return aligned columns under bold heads; columns whose index is in `right` are right-aligned."""
    cells = [list(heads), *[list(row) for row in rows]]
    widths = [max(_compute_display_width(row[i]) for row in cells) for i in range(len(heads))]
    lines = []
    for row in cells:
        padding = [" " * (width - _compute_display_width(cell)) for cell, width in zip(row, widths, strict=True)]
        padded = (padding[i] + cell if i in right else cell + padding[i] for i, cell in enumerate(row))
        lines.append("  ".join(padded).rstrip())
    return "\n".join([style_bold(lines[0]), *lines[1:]])


def format_view_table(table: Table) -> str:
    """Return a table of `factory.views`; on a terminal, columns are dropped and cells shortened until it fits."""
    from factory.tui.table import render_table

    width = get_terminal_width() if sys.stdout.isatty() else UNLIMITED_WIDTH
    return "\n".join(_style_spans(line) for line in render_table(table, width, arrow_width=0))


def style_texts(texts: Sequence[Text]) -> str:
    """Return toned texts in one line, joined by blanks."""
    return " ".join(_style_tone(clean_line(text), tone) for text, tone in texts if text)


def _style_spans(spans: Sequence[tuple[str, str]]) -> str:
    styled = ""
    for text, tone in reversed(spans):
        # Blanks at the end are dropped before styling: before an escape sequence they would stay.
        styled = _style_tone(text if styled else text.rstrip(), tone) + styled
    return styled


def _style_tone(text: str, tone: str) -> str:
    styles = TONE_STYLES.get(tone, {})
    return _apply_style(text, **styles) if styles and text else text


def _compute_display_width(cell: str) -> int:
    """Return the terminal width of a cell: wide East Asian characters take two columns, combining marks none."""
    bare = click.unstyle(cell)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in bare)
