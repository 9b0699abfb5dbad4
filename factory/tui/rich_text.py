"""Styled text: lines of toned spans, measured in terminal cells and free of anything a terminal would interpret."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size

from factory.errors import FactoryError
from factory.views.formatting import clean_line

Span = tuple[str, str]
"""A text and its tone, a key of `theme.TONES`; the empty tone is plain."""
Line = tuple[Span, ...]
JOINERS = {"\u200d", "\ufe0e", "\ufe0f", "\u20e3"}
"""Characters that combine others into one emoji, whose width differs between terminals."""
SKIN_TONES = range(0x1F3FB, 0x1F400)
FLAG_LETTERS = range(0x1F1E6, 0x1F200)


def sanitise(text: object, limit: int = 0) -> str:
    """Return one line whose width every terminal agrees on: no control sequences, no combined emoji.

    At most `limit` cells, when that is not 0.
    """
    clean = _sanitise_text(str(text))
    return truncate(clean, limit) if limit else clean


@lru_cache(maxsize=4096)  # the cells of a table are measured and drawn again on every key press
def _sanitise_text(text: str) -> str:
    clean = clean_line(text)
    return clean if clean.isascii() else "".join(_replace_letters(clean))


def _replace_letters(text: str) -> Iterator[str]:
    """Reduce a flag to its two letters, a combined emoji to its first, and an unassigned character to U+FFFD."""
    joined = False
    for letter in text:
        code = ord(letter)
        if letter in JOINERS or code in SKIN_TONES:
            joined = letter == "\u200d"
            continue
        # Arabic and Indic scripts use the joiner too: drop only what follows it in an emoji, beyond U+2000.
        dropped, joined = joined and code > 0x2000, False
        if dropped:
            continue
        if code in FLAG_LETTERS:
            yield chr(code - FLAG_LETTERS.start + ord("A"))
        elif unicodedata.category(letter) in ("Cn", "Co"):
            yield "\N{REPLACEMENT CHARACTER}"
        else:
            yield letter


def sanitise_lines(text: object) -> list[str]:
    """Return the sanitised lines of a text, at least one."""
    return [sanitise(line) for line in str(text).splitlines()] or [""]


def truncate(text: str, width: int) -> str:
    """Return a text cut to `width` cells, ending in `…` if anything is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def make_line(*parts: str | Span) -> Line:
    """Return a line of spans; a bare string becomes a plain span."""
    spans = ((part, "") if isinstance(part, str) else part for part in parts)
    return tuple(span for span in spans if span[0])


def to_plain_text(line: Line) -> str:
    """Return the text of a line without tones."""
    return "".join(text for text, _ in line)


def measure_width(line: Line) -> int:
    """Return the cells that a line takes."""
    return sum(cell_len(text) for text, _ in line)


def truncate_line(line: Line, width: int) -> Line:
    """Return a line cut to `width` cells, ending in `…` if anything is missing."""
    if measure_width(line) <= width:
        return line
    spans: list[Span] = []
    left = width
    for text, tone in line:
        cells = cell_len(text)
        if cells >= left:
            # A span that just fits still needs the `…`, as something follows it: make it too long by a blank.
            spans.append((truncate(text + " ", left) if cells == left else truncate(text, left), tone))
            break
        spans.append((text, tone))
        left -= cells
    return make_line(*spans)


def pad_line(line: Line, width: int, align_right: bool = False) -> Line:
    """Return a line cut or padded to exactly `width` cells."""
    short = truncate_line(line, width)
    gap = (" " * (width - measure_width(short)), "")
    return make_line(gap, *short) if align_right else make_line(*short, gap)


def wrap_line(line: Line, width: int, indent: int = 0) -> list[Line]:
    """Wrap a line between words to `width` cells; all lines but the first are indented."""
    if measure_width(line) <= width:
        return [line]
    lines: list[list[Span]] = [[]]
    used = 0
    for text, tone in _split_words(line, max(1, width - indent)):
        # The blanks after a line's last word may exceed the width: they are stripped at the end.
        if used + cell_len(text.rstrip()) > width:
            lines.append([(" " * indent, "")])
            used = indent
            text = text.lstrip()
        lines[-1].append((text, tone))
        used += cell_len(text)
    return [_merge_spans(spans) for spans in lines]


def _split_words(line: Line, width: int) -> Iterator[Span]:
    """Yield words with the blanks after them; a word wider than `width` in pieces."""
    for text, tone in line:
        start = 0
        for index, letter in enumerate(text):
            if letter == " " and text[index + 1 : index + 2] != " ":
                yield from _split_long_word(text[start : index + 1], tone, width)
                start = index + 1
        yield from _split_long_word(text[start:], tone, width)


def _split_long_word(word: str, tone: str, width: int) -> Iterator[Span]:
    while cell_len(word) > width:
        # At least one letter, even if it is wider than the line, or this would never end.
        end = next(end for end in range(len(word), 0, -1) if end == 1 or cell_len(word[:end]) <= width)
        yield word[:end], tone
        word = word[end:]
    if word:
        yield word, tone


def _merge_spans(spans: Sequence[Span]) -> Line:
    """Join neighbours of one tone into one span, and strip blanks at the end."""
    merged: list[Span] = []
    for text, tone in spans:
        if merged and merged[-1][1] == tone:
            merged[-1] = (merged[-1][0] + text, tone)
        else:
            merged.append((text, tone))
    if merged:
        merged[-1] = (merged[-1][0].rstrip(" "), merged[-1][1])
    return make_line(*merged)


def wrap_text(text: str, width: int, tone: str = "", prefix: str = "") -> list[Line]:
    """Wrap a text after a prefix; further lines are indented by the prefix's width."""
    return wrap_line(make_line(prefix, (text, tone)), width, indent=cell_len(prefix))


def join_blocks(blocks: Sequence[Callable[[int], Sequence[Line]]], width: int, min_width: int) -> list[Line]:
    """Place blocks, each rendered for its width, side by side where each gets `min_width`, with a blank line above."""
    # Columns are two blanks apart, so n of them need n - 1 gaps.
    per_row = max(1, min(len(blocks), (width + 2) // (min_width + 2)))
    cells = (width - 2 * (per_row - 1)) // per_row
    lines: list[Line] = []
    for start in range(0, len(blocks), per_row):
        lines.append(make_line())
        for row in zip_longest(*(block(cells) for block in blocks[start : start + per_row]), fillvalue=()):
            first, *others = (pad_line(cell, cells) for cell in row)
            lines.append(make_line(*first, *(span for cell in others for span in (("  ", ""), *cell))))
    return lines


def render_plain_text(lines: Iterable[Line]) -> str:
    """Return lines as plain text without trailing blanks."""
    return "\n".join(to_plain_text(line).rstrip() for line in lines)


def describe_read_error(error: BaseException) -> str:
    """Return a one-line message."""
    prefix = "" if isinstance(error, FactoryError) else f"cannot read the files of this run: {type(error).__name__}: "
    return sanitise(f"{prefix}{error}")
