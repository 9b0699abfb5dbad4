"""The queue as a spreadsheet, and back. What spreadsheets do to files is borne: marks, separators, order, more columns.

A cell that a spreadsheet would run as a formula goes out behind an apostrophe (OWASP, "CSV Injection") and comes back
without it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from factory.errors import InputError
from factory.review.decisions import ACCEPT, EDIT, REJECT, SKIP, Said
from factory.review.desk import Desk, Item, parsed, text

ROW, DECISION, NOTE = "row", "decision", "note"
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")
MARK = "r"
"""Before the digest of a row, so that none is read as a number."""
WORDS = {
    **dict.fromkeys(("accept", "accepted", "a", "ok", "yes", "y"), ACCEPT),
    **dict.fromkeys(("reject", "rejected", "r", "no", "n"), REJECT),
    **dict.fromkeys(("edit", "edited", "e"), EDIT),
    **dict.fromkeys(("skip", "skipped", "s", ""), SKIP),
}
"""What people write for a decision."""
MOST = 12
"""Problems of a sheet that are told."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a sheet says: decisions to write, and what a person should know of the rest."""

    said: tuple[Said, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Reading:
    """Lines of a sheet on their way to decisions."""

    desk: Desk
    shown: str
    items: Mapping[str, Item]
    said: dict[str, Said] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    strangers: int = 0
    unsaid: int = 0

    def take(self, line: int, cells: Mapping[str, str]) -> None:
        """One line of the sheet."""
        word = cells[DECISION].strip().lower()
        if word not in WORDS:
            self._problem(line, f"{DECISION}: {cells[DECISION].strip()!r}; write accept, reject, edit or nothing")
            return
        item = self.items.get(cells[ROW].strip().removeprefix(MARK))
        if item is None:
            self.strangers += WORDS[word] != SKIP
            return
        try:
            found = self._decision(item, WORDS[word], cells)
        except InputError as error:
            self._problem(line, str(error))
            return
        if found is not None and self.said.setdefault(item.key, found) != found:
            self._problem(line, "a second line of this row decides otherwise")

    def _decision(self, item: Item, verdict: str, cells: Mapping[str, str]) -> Said | None:
        written = {name: _tidy(cells[name]) for name in item.answer if name in cells}
        changed = {name: value for name, value in written.items() if value != _tidy(text(item.answer[name]))}
        if verdict == SKIP:
            self.unsaid += bool(changed)
            return None
        if verdict != EDIT and changed:
            raise InputError(f"{next(iter(changed))} was changed, yet {DECISION} says {verdict}; write edit, or mend")
        if verdict == EDIT and not changed:
            raise InputError(f"{DECISION} says edit, and nothing was changed; change {' or '.join(item.answer)}")
        answer = {name: parsed(value, item.answer[name]) for name, value in changed.items()}
        return self.desk.meant(item, verdict, answer, cells.get(NOTE, "").strip())

    def _problem(self, line: int, text: str) -> None:
        self.problems.append(f"{self.shown}:{line}: {text}")


def written(desk: Desk, items: Sequence[Item]) -> str:
    """Rows as CSV, with what this reviewer said of them. It begins with a mark by which Excel knows UTF-8."""
    given = list(dict.fromkeys(name for item in items for name in item.given))
    answer = list(dict.fromkeys(name for item in items for name in item.answer))
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow([ROW, *map(_column, given), *map(_column, answer), DECISION, NOTE])
    for item in items:
        word = desk.word(item)
        values = {**item.given, **item.answer, **(word.target if word else {})}
        cells = [safe(text(values.get(name, ""))) for name in (*given, *answer)]
        said = word.verdict if word and word.verdict != SKIP else ""
        rows.writerow([MARK + item.key, *cells, said, safe(word.note) if word else ""])
    return "\ufeff" + out.getvalue()


def read(file: Path, desk: Desk, items: Sequence[Item]) -> Sheet:
    """The decisions of a sheet that are not in the journal yet. Raises InputError with all that is wrong, line by line.

    Nothing is written here: a sheet is taken whole or not at all.
    """
    reading = _Reading(desk, str(file), {item.key: item for item in items})
    for line, cells in _lines(file, {name for item in items for name in item.answer}):
        reading.take(line, cells)
    if reading.problems:
        more = len(reading.problems) - MOST
        raise InputError("\n".join([*reading.problems[:MOST], *([f"and {more} more"] if more > 0 else [])]))
    standing = {item.key: desk.word(item) for item in items}
    fresh = [word for word in reading.said.values() if not _same(word, standing[word.row])]
    told = [
        (reading.strangers, "decided rows are not among the present ones and were left out"),
        (reading.unsaid, "rows were changed without a decision and were left out; write edit"),
        (len(reading.said) - len(fresh), "decisions stand already"),
    ]
    return Sheet(tuple(fresh), tuple(f"{count} {what}" for count, what in told if count))


def _same(word: Said, before: Said | None) -> bool:
    return before is not None and (word.verdict, dict(word.target)) == (before.verdict, dict(before.target))


def _lines(file: Path, answer: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, cells by column); columns are known by their names, whatever their order or case."""
    content = _decoded(file)
    head = content.split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    try:
        lines = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
        names = [unsafe(name).strip() for name in next(lines, [])]
        _check(file, names)
        columns = {**{name: name for name in (ROW, DECISION, NOTE)}, **{_column(name): name for name in answer}}
        known = {shown.lower(): name for shown, name in columns.items()}
        places = {known[name.lower()]: place for place, name in enumerate(names) if name.lower() in known}
        for cells in lines:
            if any(cell.strip() for cell in cells):
                got = {name: unsafe(cells[at]) if at < len(cells) else "" for name, at in places.items()}
                yield lines.line_num, got
    except csv.Error as error:
        raise InputError(f"{file}: no CSV: {error}") from error


def _check(file: Path, names: Sequence[str]) -> None:
    lower = [name.lower() for name in names]
    for needed in (ROW, DECISION):
        if needed not in lower:
            has = ", ".join(filter(None, names)) or "none"
            raise InputError(f"{file}:1: no column {needed!r}; a sheet that --csv wrote has one, this one has {has}")


def _column(name: str) -> str:
    """What a column is called in a sheet, where a row's own might be one of ours."""
    return f"{name} (column)" if name.lower() in (ROW, DECISION, NOTE) else name


def _decoded(file: Path) -> str:
    """The text of a sheet in any of the encodings that spreadsheets save."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 (byte {error.start}); save it as 'CSV UTF-8'") from error


def _tidy(value: str) -> str:
    """A cell without what spreadsheets add: line ends of another kind, and white space at the end."""
    return value.replace("\r\n", "\n").replace("\r", "\n").rstrip()


def safe(value: str) -> str:
    """A cell that no spreadsheet runs."""
    return f"'{value}" if value.startswith(DANGEROUS) else value


def unsafe(value: str) -> str:
    """What `safe` was given."""
    return value[1:] if value.startswith("'") and value[1:].startswith(DANGEROUS) else value
