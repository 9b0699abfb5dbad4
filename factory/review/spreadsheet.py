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

from factory.data.review_decisions import ACCEPT, EDIT, REJECT, SKIP, ReviewDecision
from factory.errors import InputError
from factory.review.session import ReviewItem, ReviewSession, format_editable_value, parse_edited_value

ROW, DECISION, NOTE = "row", "decision", "note"
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")
DIGEST_PREFIX = "r"
"""Before the digest of a row, so that none is read as a number."""
DECISION_WORDS = {
    **dict.fromkeys(("accept", "accepted", "a", "ok", "yes", "y"), ACCEPT),
    **dict.fromkeys(("reject", "rejected", "r", "no", "n"), REJECT),
    **dict.fromkeys(("edit", "edited", "e"), EDIT),
    **dict.fromkeys(("skip", "skipped", "s", ""), SKIP),
}
"""What people write for a decision."""
MAX_SHEET_PROBLEMS = 12
"""Problems of a sheet that are told."""


@dataclass(frozen=True, slots=True)
class SheetDecisions:
    """What a sheet says: decisions to write, and what a person should know of the rest."""

    decisions: tuple[ReviewDecision, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _SheetReader:
    """Lines of a sheet on their way to decisions."""

    session: ReviewSession
    file_name: str
    items: Mapping[str, ReviewItem]
    decisions: dict[str, ReviewDecision] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unknown_rows: int = 0
    edits_without_decision: int = 0

    def parse_sheet_line(self, line: int, cells: Mapping[str, str]) -> None:
        """One line of the sheet."""
        word = cells[DECISION].strip().lower()
        if word not in DECISION_WORDS:
            self._add_line_problem(
                line, f"{DECISION}: {cells[DECISION].strip()!r}; write accept, reject, edit or nothing"
            )
            return
        item = self.items.get(cells[ROW].strip().removeprefix(DIGEST_PREFIX))
        if item is None:
            self.unknown_rows += DECISION_WORDS[word] != SKIP
            return
        try:
            found = self._parse_line_decision(item, DECISION_WORDS[word], cells)
        except InputError as error:
            self._add_line_problem(line, str(error))
            return
        if found is not None and self.decisions.setdefault(item.key, found) != found:
            self._add_line_problem(line, "a second line of this row decides otherwise")

    def _parse_line_decision(self, item: ReviewItem, verdict: str, cells: Mapping[str, str]) -> ReviewDecision | None:
        written = {name: _normalise_cell(cells[name]) for name in item.answer if name in cells}
        changed = {
            name: value for name,
            value in written.items() if value != _normalise_cell(format_editable_value(item.answer[name]))
        }
        if verdict == SKIP:
            self.edits_without_decision += bool(changed)
            return None
        if verdict != EDIT and changed:
            raise InputError(f"{next(iter(changed))} was changed, yet {DECISION} says {verdict}; write edit, or mend")
        if verdict == EDIT and not changed:
            raise InputError(f"{DECISION} says edit, and nothing was changed; change {' or '.join(item.answer)}")
        answer = {name: parse_edited_value(value, item.answer[name]) for name, value in changed.items()}
        return self.session.build_decision(item, verdict, answer, cells.get(NOTE, "").strip())

    def _add_line_problem(self, line: int, text: str) -> None:
        self.problems.append(f"{self.file_name}:{line}: {text}")


def render_review_sheet(desk: ReviewSession, items: Sequence[ReviewItem]) -> str:
    """Rows as CSV, with what this reviewer said of them. It begins with a mark by which Excel knows UTF-8."""
    given = list(dict.fromkeys(name for item in items for name in item.inputs))
    answer = list(dict.fromkeys(name for item in items for name in item.answer))
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow([ROW, *map(_name_sheet_column, given), *map(_name_sheet_column, answer), DECISION, NOTE])
    for item in items:
        word = desk.find_decision(item)
        values = {**item.inputs, **item.answer, **(word.target if word else {})}
        cells = [escape_formula(format_editable_value(values.get(name, ""))) for name in (*given, *answer)]
        said = word.verdict if word and word.verdict != SKIP else ""
        rows.writerow([DIGEST_PREFIX + item.key, *cells, said, escape_formula(word.note) if word else ""])
    return "\ufeff" + out.getvalue()


def read_review_sheet(file: Path, desk: ReviewSession, items: Sequence[ReviewItem]) -> SheetDecisions:
    """The decisions of a sheet that are not in the journal yet. Raises InputError with all that is wrong, line by line.

    Nothing is written here: a sheet is taken whole or not at all.
    """
    reading = _SheetReader(desk, str(file), {item.key: item for item in items})
    for line, cells in _read_sheet_lines(file, {name for item in items for name in item.answer}):
        reading.parse_sheet_line(line, cells)
    if reading.problems:
        more = len(reading.problems) - MAX_SHEET_PROBLEMS
        raise InputError(
            "\n".join([*reading.problems[:MAX_SHEET_PROBLEMS], *([f"and {more} more"] if more > 0 else [])])
        )
    standing = {item.key: desk.find_decision(item) for item in items}
    fresh = [word for word in reading.decisions.values() if not _is_same_decision(word, standing[word.row])]
    told = [
        (reading.unknown_rows, "decided rows are not among the present ones and were left out"),
        (reading.edits_without_decision, "rows were changed without a decision and were left out; write edit"),
        (len(reading.decisions) - len(fresh), "decisions stand already"),
    ]
    return SheetDecisions(tuple(fresh), tuple(f"{count} {what}" for count, what in told if count))


def _is_same_decision(word: ReviewDecision, before: ReviewDecision | None) -> bool:
    return before is not None and (word.verdict, dict(word.target)) == (before.verdict, dict(before.target))


def _read_sheet_lines(file: Path, answer: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, cells by column); columns are known by their names, whatever their order or case."""
    content = _decode_sheet(file)
    head = content.split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    try:
        lines = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
        names = [unescape_formula(name).strip() for name in next(lines, [])]
        _check_sheet_columns(file, names)
        columns = {
            **{name: name for name in (ROW, DECISION, NOTE)}, **{_name_sheet_column(name): name for name in answer}
        }
        known = {shown.lower(): name for shown, name in columns.items()}
        places = {known[name.lower()]: place for place, name in enumerate(names) if name.lower() in known}
        for cells in lines:
            if any(cell.strip() for cell in cells):
                got = {name: unescape_formula(cells[at]) if at < len(cells) else "" for name, at in places.items()}
                yield lines.line_num, got
    except csv.Error as error:
        raise InputError(f"{file}: no CSV: {error}") from error


def _check_sheet_columns(file: Path, names: Sequence[str]) -> None:
    lower = [name.lower() for name in names]
    for needed in (ROW, DECISION):
        if needed not in lower:
            has = ", ".join(filter(None, names)) or "none"
            raise InputError(f"{file}:1: no column {needed!r}; a sheet that --csv wrote has one, this one has {has}")


def _name_sheet_column(name: str) -> str:
    """What a column is called in a sheet, where a row's own might be one of ours."""
    return f"{name} (column)" if name.lower() in (ROW, DECISION, NOTE) else name


def _decode_sheet(file: Path) -> str:
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


def _normalise_cell(value: str) -> str:
    """A cell without what spreadsheets add: line ends of another kind, and white space at the end."""
    return value.replace("\r\n", "\n").replace("\r", "\n").rstrip()


def escape_formula(value: str) -> str:
    """A cell that no spreadsheet runs."""
    return f"'{value}" if value.startswith(FORMULA_PREFIXES) else value


def unescape_formula(value: str) -> str:
    """What `safe` was given."""
    return value[1:] if value.startswith("'") and value[1:].startswith(FORMULA_PREFIXES) else value
