"""Output helpers of the commands: results go to standard output, notes to standard error."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from factory.events import spell_infinite_numbers
from factory.views.elements import Cell, Column, Table, Text, draw_cell, make_row
from factory.views.formatting import clean_line

if TYPE_CHECKING:
    from rich.console import OverflowMethod
    from rich.table import Table as RichTable

DEFAULT_WIDTH = 100
"""Columns when the output is not a terminal, and the maximum width of wrapped text."""
TONE_STYLES = {"strong": "bold", "dim": "dim", "good": "green", "bad": "red", "warn": "yellow", "run": "cyan"}
"""Tone → style, as Rich names it; other tones are plain."""
UNLIMITED_WIDTH = 1_000_000
"""Columns of a table that is written to a file or a pipe."""
MIN_KEY_WIDTH, MIN_TEXT_WIDTH = 26, 16
"""Cells below which a terminal wraps a column of names and numbers, or the last column, only if nothing else helps."""
UNSAFE_CHARACTERS = re.compile(
    r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""C1 controls, bidi controls, invisible characters, line separators and surrogates: none is left to `json.dumps`."""
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def print_json(value: Any) -> None:
    """Print a value as JSON to standard output; characters that a terminal would obey are escaped.

    Numbers that JSON does not have are the texts `NaN` and `Infinity`.
    """
    # A terminal of another encoding gets every other character as JSON writes it, as it may have no sign for it.
    is_utf = (sys.stdout.encoding or "").lower().startswith("utf")
    try:
        text = json.dumps(value, indent=1, ensure_ascii=not is_utf, default=str, allow_nan=False)
    except ValueError:
        text = json.dumps(spell_infinite_numbers(value), indent=1, ensure_ascii=not is_utf, default=str)
    click.echo(UNSAFE_CHARACTERS.sub(lambda found: json.dumps(found[0])[1:-1], text))


def print_line(text: str = "") -> None:
    """Print a line of the result to standard output."""
    click.echo(text)


def print_note(text: str) -> None:
    """Print a note or warning, which is not part of the result, to standard error."""
    click.echo(text, err=True)


def style_text(text: str, tone: str) -> str:
    """Return the text in the style of a tone; Click strips it when the output is not a terminal."""
    style = TONE_STYLES.get(tone, "")
    # Click ignores NO_COLOR (https://no-color.org).
    if not style or not text or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, **({style: True} if style in ("bold", "dim") else {"fg": style}))


def style_bold(text: str) -> str:
    """Return the text in bold."""
    return style_text(text, "strong")


def style_dim(text: str) -> str:
    """Return the text dimmed."""
    return style_text(text, "dim")


def style_texts(texts: Sequence[Text]) -> str:
    """Return toned texts in one line, joined by blanks."""
    return " ".join(style_text(clean_line(text), tone) for text, tone in texts if text)


def format_badge(text: str, tone: str) -> str:
    """Return the text in bold black on the colour of a tone."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg="black", bg=TONE_STYLES[tone], bold=True)


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


def format_table(table: Table, *, wrap: bool = False) -> str:
    """Return a table as text, drawn by Rich; whole where the output is a file or a pipe.

    On a terminal, columns are dropped until it fits, and cells are shortened or, with `wrap`, wrapped.
    """
    from factory.views.column_layout import fit_columns

    if not table.rows:
        return style_dim(fill_line(table.empty_text))
    if wrap:
        table = replace(table, columns=tuple(replace(column, max_width=UNLIMITED_WIDTH) for column in table.columns))
    width = get_terminal_width() if sys.stdout.isatty() else 0
    grid = make_grid(table, fit_columns(table, width, clean_line), "fold" if wrap else "ellipsis")
    return _draw_with_rich(grid, width or UNLIMITED_WIDTH)


def make_grid(table: Table, layout: Sequence[tuple[int, int]], overflow: OverflowMethod) -> RichTable:
    """Return the columns of a layout as a table of Rich."""
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    has_heads = any(column.name for column in table.columns)
    # Two blanks between columns, as many as the layout reckons with.
    grid = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="none", show_header=has_heads)
    for index, width in layout:
        column = table.columns[index]
        grid.add_column(
            RichText.assemble((clean_line(column.name), "bold")), justify="right" if column.align_right else "left",
            width=width, no_wrap=overflow == "ellipsis", overflow=overflow,
        )
    for row in table.rows:
        cells = (draw_cell(row.cells[index], table.columns[index], clean_line) for index, _ in layout)
        grid.add_row(*(RichText.assemble(*((t, TONE_STYLES.get(tone, "")) for t, tone in parts)) for parts in cells))
    return grid


def format_rows(heads: Sequence[str], rows: Sequence[Sequence[Cell]], right: Sequence[int] = ()) -> str:
    """Return rows under heads; columns whose index is in `right` are right-aligned, and a terminal wraps the last."""
    columns = [Column(head, align_right=i in right, min_width=MIN_KEY_WIDTH) for i, head in enumerate(heads)]
    columns[-1] = replace(columns[-1], min_width=MIN_TEXT_WIDTH)
    return format_table(Table(tuple(columns), tuple(make_row("", *cells) for cells in rows)), wrap=True)


def _draw_with_rich(grid: RichTable, width: int) -> str:
    """Return what Rich draws, without blanks at the ends of lines; plain in a pipe and with NO_COLOR."""
    from rich.console import Console

    toned = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    console = Console(width=width, force_terminal=toned, color_system="standard" if toned else None)
    with console.capture() as capture:
        console.print(grid)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
