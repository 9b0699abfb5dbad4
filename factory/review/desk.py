"""One reviewer's sitting: which rows wait, what each looks like, and where decisions go. Knows no terminal."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory.api import Row, Tables, Task
from factory.errors import InputError
from factory.review.agreement import Agreement
from factory.review.agreement import agreement as agree
from factory.review.content import Content
from factory.review.decisions import ACCEPT, EDIT, REJECT, SKIP, UNDO, VERDICTS, Said, Words, read, write
from factory.review.strata import Strata, drawn

PLAIN = 2000
"""Letters of a row that are shown when its task can not show it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the queue. `key` is the digest of its content; nothing here says who made it."""

    key: str
    given: Mapping[str, Any]
    answer: Mapping[str, Any]
    row: Row = field(repr=False)


def queue(rows: Sequence[Row], content: Content, count: int, seed: int) -> list[Item]:
    """At most `count` rows to show, in their order: the same for every reviewer, so that two can be compared."""
    strata = Strata(rows, content)
    by_key = {}
    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        key = content.digest(row)
        if first.setdefault(key, place) == place:
            by_key[key] = strata.of(row)
    chosen = drawn(by_key, count, seed)
    return [Item(key, content.given(row), content.answer(row), row)
            for key, row in ((key, rows[first[key]]) for key in chosen)]


def sample_size(rows: int, share: float) -> int:
    """How many rows a share of them is, rounded up."""
    return min(rows, math.ceil(round(rows * share, 9)))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reviewer is: rows decided, accepted, rejected, edited and put off, of all that are asked."""

    decided: int
    of: int
    counts: Mapping[str, int]


@dataclass
class Desk:
    """The rows that one reviewer is asked about, and the file that their decisions go to."""

    file: Path
    reviewer: str
    items: Sequence[Item]
    task: Task
    tables: Tables
    content: Content
    choices: frozenset[str] = frozenset()
    words: Words = field(default_factory=Words)

    def __post_init__(self) -> None:
        self.words = read(self.file)

    def waiting(self) -> list[Item]:
        """Rows that this reviewer has not decided; those they put off come last."""
        mine = self._mine()
        fresh = [item for item in self.items if item.key not in mine]
        later = [item for item in self.items if item.key in mine and mine[item.key].verdict == SKIP]
        return [*fresh, *later]

    def word(self, item: Item) -> Said | None:
        """What this reviewer said of a row, if anything."""
        return self._mine().get(item.key)

    def show(self, item: Item) -> str:
        """The row as its task shows it; as plain columns when that fails."""
        try:
            return self.task.describe_row(item.row, self.tables, None)
        except Exception:  # a stranger's task must not end a sitting
            said = {**item.given, **item.answer}
            return "\n".join(f"{name}: {text(value)}" for name, value in said.items())[:PLAIN]

    def decide(self, item: Item, verdict: str, answer: Mapping[str, Any] | None = None, note: str = "") -> Said:
        """Write a decision, on the disk when this returns. Raises InputError when an edited answer can not be one."""
        word = self.meant(item, verdict, answer, note)
        self.write([word])
        return word

    def meant(self, item: Item, verdict: str, answer: Mapping[str, Any] | None = None, note: str = "") -> Said:
        """The decision that would be written. An edit that changes nothing accepts."""
        if verdict not in (*VERDICTS, SKIP):
            raise InputError(f"no such decision: {verdict!r}; there are {', '.join((*VERDICTS, SKIP))}")
        changed = {name: value for name, value in (answer or {}).items() if item.answer.get(name) != value}
        if verdict == EDIT:
            problem = self._refuses(item, changed)
            if problem:
                raise InputError(problem)
            verdict = EDIT if changed else ACCEPT
        return Said(item.key, self.reviewer, verdict, changed if verdict == EDIT else {}, note, item.row.id)

    def write(self, words: Iterable[Said]) -> None:
        """Append words to the file, and take in what others wrote meanwhile."""
        write(self.file, words)
        self.words = read(self.file)

    def undo(self) -> Item | None:
        """Take this reviewer's last word back; the row it was about, when it is one of the queue."""
        last = self.words.last(self.reviewer)
        if last is None:
            return None
        self.write([Said(last.row, self.reviewer, UNDO, id=last.id)])
        return next((item for item in self.items if item.key == last.row), None)

    def progress(self) -> Progress:
        """How far this reviewer is with what they are asked."""
        mine, asked = self._mine(), {item.key for item in self.items}
        counts = Counter(word.verdict for key, word in mine.items() if key in asked)
        return Progress(sum(counts[v] for v in VERDICTS), len(self.items),
                        {name: counts[name] for name in (ACCEPT, REJECT, EDIT, SKIP)})

    def agreement(self) -> Agreement:
        """Of all reviewers, over everything that was decided."""
        return agree(self.words.decided())

    def _mine(self) -> dict[str, Said]:
        return {row: words[self.reviewer] for row, words in self.words.standing().items() if self.reviewer in words}

    def _refuses(self, item: Item, answer: Mapping[str, Any]) -> str:
        """Why an answer can not stand: of another form, or none of the few that there are."""
        if not item.answer:
            return "the rows of this task have no answer that can be edited; reject the row instead"
        problem = self.content.wrong(answer, item.answer)
        if problem or not answer or not self.choices:
            return problem
        said = self.task.render_target(item.row.with_columns(**answer))
        if said in self.choices:
            return ""
        import difflib

        near = difflib.get_close_matches(said, self.choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(self.choices)[:12])}"
        return f"{said!r} is no answer of the other rows; {hint}"


def text(value: Any) -> str:
    """A column as a person edits it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parsed(written: str, like: Any) -> Any:
    """What a person wrote for a value that was like this. Raises InputError when it is no JSON where that is wanted."""
    if isinstance(like, str):
        return written
    try:
        return json.loads(written)
    except ValueError as error:
        raise InputError(f"not JSON, as {text(like)[:60]} is: {error}") from error
