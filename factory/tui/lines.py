"""Text as the screens show it: lines of toned spans, measured in terminal cells and safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len, set_cell_size

from factory.views.formatting import clean_line

Span = tuple[str, str]
"""A text and its tone, a key of `look.TONES`; the empty tone is plain."""
Line = tuple[Span, ...]
EMPTY: Line = ()
JOINERS = {"\u200d", "\ufe0e", "\ufe0f", "\u20e3"}
"""They make one picture of several letters, in widths on which no two terminals agree."""
SKIN = range(0x1F3FB, 0x1F400)
FLAGS = range(0x1F1E6, 0x1F200)


def safe(text: object, limit: int = 0) -> str:
    """One line that every terminal draws as wide as we count: no control sequence, no joined or coloured emoji.

    At most `limit` cells, when that is not 0.
    """
    bare = clean_line(text)
    if not bare.isascii():
        bare = "".join(_letters(bare))
    return shorten(bare, limit) if limit else bare


def _letters(text: str) -> Iterator[str]:
    """Flags become their two letters, a family its first member, private and unassigned letters a sign."""
    joined = False
    for letter in text:
        place = ord(letter)
        if letter in JOINERS or place in SKIN:
            joined = letter == "\u200d"
            continue
        if joined and place > 0x2000:
            joined = False
            continue
        joined = False
        if place in FLAGS:
            yield chr(place - FLAGS.start + ord("A"))
        elif unicodedata.category(letter) in ("Cn", "Co"):
            yield "\N{REPLACEMENT CHARACTER}"
        else:
            yield letter


def paragraphs(text: object) -> list[str]:
    """The lines of a text of several, each safe."""
    return [safe(part) for part in str(text).splitlines()] or [""]


def shorten(text: str, width: int) -> str:
    """The beginning of a text in so many cells, with `…` where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def line(*parts: str | Span) -> Line:
    """A line of its parts; a bare text is plain."""
    spans = ((part, "") if isinstance(part, str) else part for part in parts)
    return tuple(span for span in spans if span[0])


def plain(one: Line) -> str:
    """Its text alone."""
    return "".join(text for text, _ in one)


def width(one: Line) -> int:
    """Cells that it takes."""
    return sum(cell_len(text) for text, _ in one)


def cut(one: Line, room: int) -> Line:
    """The line in at most so many cells, with `…` where something is missing."""
    if width(one) <= room:
        return one
    found: list[Span] = []
    left = room
    for text, tone in one:
        wide = cell_len(text)
        if wide >= left:
            found.append((shorten(text + " ", left) if wide == left else shorten(text, left), tone))
            break
        found.append((text, tone))
        left -= wide
    return line(*found)


def fit(one: Line, room: int, right: bool = False) -> Line:
    """The line in exactly so many cells."""
    short = cut(one, room)
    gap = (" " * (room - width(short)), "")
    return line(gap, *short) if right else line(*short, gap)


def wrap(one: Line, room: int, indent: int = 0) -> list[Line]:
    """The line broken between words into lines of at most so many cells; further ones begin with `indent` blanks."""
    if width(one) <= room:
        return [one]
    lines: list[list[Span]] = [[]]
    used = 0
    for text, tone in _words(one, max(1, room - indent)):
        wide = cell_len(text)
        if used + cell_len(text.rstrip()) > room:
            lines.append([(" " * indent, "")])
            used = indent
            text = text.lstrip()
            wide = cell_len(text)
        lines[-1].append((text, tone))
        used += wide
    return [_merged(each) for each in lines]


def _words(one: Line, most: int) -> Iterator[Span]:
    """Words with the blanks after them; one that is too long in pieces."""
    for text, tone in one:
        start = 0
        for place, letter in enumerate(text):
            if letter == " " and text[place + 1 : place + 2] != " ":
                yield from _pieces(text[start : place + 1], tone, most)
                start = place + 1
        yield from _pieces(text[start:], tone, most)


def _pieces(word: str, tone: str, most: int) -> Iterator[Span]:
    while cell_len(word) > most:
        at = next(at for at in range(len(word), 0, -1) if at == 1 or cell_len(word[:at]) <= most)
        yield word[:at], tone
        word = word[at:]
    if word:
        yield word, tone


def _merged(spans: Sequence[Span]) -> Line:
    """Neighbours of one tone as one span, without blanks at the end."""
    found: list[Span] = []
    for text, tone in spans:
        if found and found[-1][1] == tone:
            found[-1] = (found[-1][0] + text, tone)
        else:
            found.append((text, tone))
    if found:
        found[-1] = (found[-1][0].rstrip(" "), found[-1][1])
    return line(*found)


def wrapped(text: str, room: int, tone: str = "", head: str = "") -> list[Line]:
    """A plain text as lines, the first one after `head` and the others indented by it."""
    return wrap(line(head, (text, tone)), room, indent=cell_len(head))


def beside(columns: Sequence[Sequence[Line]], rooms: Sequence[int], gap: str = "  ") -> list[Line]:
    """Blocks of lines next to each other, each in its room."""
    tall = max((len(column) for column in columns), default=0)
    found = []
    for row in range(tall):
        spans: list[Span] = []
        for place, (column, room) in enumerate(zip(columns, rooms, strict=True)):
            spans += [(gap, "")] if place else []
            spans += fit(column[row] if row < len(column) else EMPTY, room)
        found.append(line(*spans))
    return found


def text_of(lines: Iterable[Line]) -> str:
    """All lines as plain text, without blanks at their ends."""
    return "\n".join(plain(one).rstrip() for one in lines)
