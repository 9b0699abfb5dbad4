"""Export the review queue as CSV and import it again, whatever byte-order mark, separator or column order it has.

A cell that a spreadsheet would evaluate as a formula is exported with an apostrophe in front (OWASP, "CSV Injection"),
which the import removes.
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
"""Prefix of row digests, so that a spreadsheet takes none for a number."""
DECISION_WORDS = {
    **dict.fromkeys(("accept", "accepted", "a", "ok", "yes", "y"), ACCEPT),
    **dict.fromkeys(("reject", "rejected", "r", "no", "n"), REJECT),
    **dict.fromkeys(("edit", "edited", "e"), EDIT),
    **dict.fromkeys(("skip", "skipped", "s", ""), SKIP),
}
"""Accepted spellings of a decision."""
MAX_SHEET_PROBLEMS = 12
"""Number of problems of a sheet that an error lists."""


@dataclass(frozen=True, slots=True)
class SheetDecisions:
    """The decisions of a sheet that are to be written, and notes on lines that were skipped."""

    decisions: tuple[ReviewDecision, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _SheetReader:
    """Collects the decisions and problems of a sheet, line by line."""

    session: ReviewSession
    file_name: str
    items: Mapping[str, ReviewItem]
    decisions: dict[str, ReviewDecision] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unknown_rows: int = 0
    edits_without_decision: int = 0

    def parse_sheet_line(self, line: int, cells: Mapping[str, str]) -> None:
        word = cells[DECISION].strip().lower()
        if word not in DECISION_WORDS:
            problem = f"unknown {DECISION} {cells[DECISION].strip()!r}; write accept, reject or edit, or leave it empty"
            self._add_line_problem(line, problem)
            return
        item = self.items.get(cells[ROW].strip().removeprefix(DIGEST_PREFIX))
        if item is None:
            self.unknown_rows += DECISION_WORDS[word] != SKIP
            return
        try:
            decision = self._parse_line_decision(item, DECISION_WORDS[word], cells)
        except InputError as error:
            self._add_line_problem(line, str(error))
            return
        if decision is not None and self.decisions.setdefault(item.key, decision) != decision:
            self._add_line_problem(line, "another line decides differently on this row")

    def _parse_line_decision(self, item: ReviewItem, verdict: str, cells: Mapping[str, str]) -> ReviewDecision | None:
        shown = {name: format_editable_value(value) for name, value in item.answer.items() if name in cells}
        edits = {name: _normalise_cell(cells[name]) for name in shown}
        edits = {name: value for name, value in edits.items() if value != _normalise_cell(shown[name])}
        if verdict == SKIP:
            self.edits_without_decision += bool(edits)
            return None
        if verdict != EDIT and edits:
            raise InputError(
                f"{next(iter(edits))} was changed, but {DECISION} is {verdict}; write edit, or undo the change"
            )
        if verdict == EDIT and not edits:
            raise InputError(f"{DECISION} is edit, but nothing was changed; change {' or '.join(item.answer)}")
        answer = {name: parse_edited_value(value, item.answer[name]) for name, value in edits.items()}
        return self.session.build_decision(item, verdict, answer, cells.get(NOTE, "").strip())

    def _add_line_problem(self, line: int, text: str) -> None:
        self.problems.append(f"{self.file_name}:{line}: {text}")


def render_review_sheet(session: ReviewSession, items: Sequence[ReviewItem]) -> str:
    """Return rows as CSV with this reviewer's decisions, and a byte-order mark, by which Excel recognises UTF-8."""
    inputs = list(dict.fromkeys(name for item in items for name in item.inputs))
    answer = list(dict.fromkeys(name for item in items for name in item.answer))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([ROW, *map(_name_sheet_column, (*inputs, *answer)), DECISION, NOTE])
    for item in items:
        decision = session.find_decision(item)
        values = {**item.inputs, **item.answer, **(decision.target if decision else {})}
        cells = [escape_formula(format_editable_value(values.get(name, ""))) for name in (*inputs, *answer)]
        verdict = decision.verdict if decision and decision.verdict != SKIP else ""
        note = escape_formula(decision.note) if decision else ""
        writer.writerow([DIGEST_PREFIX + item.key, *cells, verdict, note])
    return "\ufeff" + out.getvalue()


def read_review_sheet(file: Path, session: ReviewSession, items: Sequence[ReviewItem]) -> SheetDecisions:
    """Return the decisions of a sheet that are not recorded yet. Raises InputError with the problems of all lines.

    This writes nothing: a sheet is imported whole or not at all.
    """
    reader = _SheetReader(session, str(file), {item.key: item for item in items})
    for line, cells in _read_sheet_lines(file, {name for item in items for name in item.answer}):
        reader.parse_sheet_line(line, cells)
    if reader.problems:
        more = len(reader.problems) - MAX_SHEET_PROBLEMS
        rest = [f"and {more} more"] if more > 0 else []
        raise InputError("\n".join([*reader.problems[:MAX_SHEET_PROBLEMS], *rest]))
    standing = {item.key: session.find_decision(item) for item in items}
    new = [
        decision for decision in reader.decisions.values()
        if (before := standing[decision.row]) is None
        or (decision.verdict, dict(decision.target)) != (before.verdict, dict(before.target))
    ]
    notes = [
        ("decisions on rows that are not in the current queue, skipped", reader.unknown_rows),
        ("rows changed without a decision, skipped (write edit)", reader.edits_without_decision),
        ("decisions that were recorded before", len(reader.decisions) - len(new)),
    ]
    return SheetDecisions(tuple(new), tuple(f"{text}: {count}" for text, count in notes if count))


def _read_sheet_lines(file: Path, answer: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, cells by column); columns are found by name, in any order or case."""
    content = _decode_sheet(file)
    separator = max(",;\t", key=content.split("\n", 1)[0].count)
    try:
        lines = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
        head = [unescape_formula(name).strip() for name in next(lines, [])]
        missing = [name for name in (ROW, DECISION) if name not in map(str.lower, head)]
        if missing:
            columns = ", ".join(filter(None, head)) or "none"
            raise InputError(f"{file}:1: no column {missing[0]!r}, only {columns}; export the sheet again with --csv")
        known = {name: name for name in (ROW, DECISION, NOTE)}
        known |= {_name_sheet_column(name).lower(): name for name in answer}
        indices = {known[name.lower()]: index for index, name in enumerate(head) if name.lower() in known}
        for cells in lines:
            if any(cell.strip() for cell in cells):
                cells += [""] * (len(head) - len(cells))
                yield lines.line_num, {name: unescape_formula(cells[index]) for name, index in indices.items()}
    except csv.Error as error:
        raise InputError(f"{file}: not CSV: {error}") from error


def _name_sheet_column(name: str) -> str:
    """Return the sheet's name of a column; one that is named like the sheet's own columns gets a suffix."""
    return f"{name} (column)" if name.lower() in (ROW, DECISION, NOTE) else name


def _decode_sheet(file: Path) -> str:
    """Return the text of a sheet, in UTF-8 or UTF-16."""
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
    """Undo what spreadsheets change in a cell: line ends, and white space at the end."""
    return value.replace("\r\n", "\n").replace("\r", "\n").rstrip()


def escape_formula(value: str) -> str:
    """Prefix a cell that a spreadsheet would evaluate."""
    return f"'{value}" if value.startswith(FORMULA_PREFIXES) else value


def unescape_formula(value: str) -> str:
    """Undo `escape_formula`."""
    return value[1:] if value.startswith("'") and value[1:].startswith(FORMULA_PREFIXES) else value
