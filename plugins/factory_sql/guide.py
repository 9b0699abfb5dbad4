"""Constrained decoding for SQL: a text may go on only where a statement over the schema could still come of it.

Every complete word is a keyword that can stand there, an allowed function, or a name of the schema; a last word that is
not complete begins one of those. After FROM and JOIN stand tables, after `table.` that table's columns, and once a FROM
is known, bare columns are of its tables. Quotes and brackets pair up, and the end is where the guard lets it pass. It
says no to what is surely wrong; what is merely unlikely is the model's to know.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache

from factory_sql.database import FUNCTIONS, RefusedError
from factory_sql.guard import check
from factory_sql.keywords import (
    CLAUSES,
    EXPRESSION,
    FOLLOWS,
    KEYWORDS,
    LEAVING,
    NOT,
    PAIRS,
    STARTS,
    VALUED,
)
from factory_sql.schema import Schema

LEX = re.compile(
    r"""\s|'(?:[^']|'')*'(?!')|"[^"]*"|\d+(?:\.\d*)?(?![A-Za-z_])|[^\W\d]\w*|<>|<=|>=|!=|\|\||[(),.*<>=+/%-]"""
)
HALF = re.compile(r"""'(?:[^']|'')*|"[^"]*|[!|]""")
LONGEST = 80
DIGITS = 12
KEPT = 512
"""Beginnings of texts that a guide remembers."""


@dataclass(slots=True)
class _Level:
    """What is known between a pair of brackets: its clause, and for a SELECT what it names and reads."""

    place: str = ""
    query: bool = False
    tables: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    columns: list[tuple[str, str]] = field(default_factory=list)

    def copy(self) -> _Level:
        """Another with the same."""
        return _Level(self.place, self.query, [*self.tables], {**self.aliases}, [*self.columns])


class SqlGuide:
    """A guide over one schema: (text so far, whether it ends here) → whether an answer may begin, or end, so."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.tables = frozenset(schema.lowered)
        self.columns = {low: frozenset(columns) for low, columns in schema.columns.items()}
        self.every = frozenset(name for columns in self.columns.values() for name in columns)
        self._read: dict[str, tuple[bool | None, _Walk]] = {}
        self.calls = FUNCTIONS - self.every - self.tables - EXPRESSION

    def __call__(self, text: str, ends: bool) -> bool:
        if not ends:
            return self._goes_on(text)
        walk = _Walk(self)
        if not (walk.read(text, whole=True) and walk.complete):
            return False
        try:
            check(text, self._schema)
        except RefusedError:
            return False
        return True

    def _goes_on(self, text: str) -> bool:
        """Whether a statement can still come of the text. What stands before its last space is read once: a decoder
        asks of many tokens after the same text."""
        cut = text.rfind(" ")
        if cut <= 0:
            return bool(_Walk(self).read(text))
        if text[:cut] not in self._read:
            if len(self._read) >= KEPT:
                self._read.clear()
            walk = _Walk(self)
            self._read[text[:cut]] = (walk.read(text[:cut], whole=True), walk)
        fits, walk = self._read[text[:cut]]
        if fits is None:  # the space is inside quotes
            return bool(_Walk(self).read(text))
        return fits and bool(walk.copy().read(text[cut:]))


class _Walk:
    """One reading of a text from its start."""

    def __init__(self, guide: SqlGuide) -> None:
        self._guide = guide
        self._levels = [_Level()]
        self._last = self._before = ""
        self._operand, self._space = False, True

    def copy(self) -> _Walk:
        """The same place in the same text, from where to go on in another way."""
        made = _Walk(self._guide)
        made._levels = [level.copy() for level in self._levels]
        made._last, made._before, made._operand, made._space = self._last, self._before, self._operand, self._space
        return made

    def read(self, text: str, whole: bool = False) -> bool | None:
        """Whether a statement can still come of what was read and this text. Its last word may go on, unless it is
        `whole`; then a quote that stays open is None."""
        at = 0
        while at < len(text):
            match = LEX.match(text, at)
            if match is None:
                return (None if whole else True) if self._open(text[at:]) else False
            token, at = match.group(), match.end()
            if token.isspace():
                if self._space:
                    return False
                self._space = True
                continue
            self._space = False
            if not self._take(token, at == len(text) and not whole):
                return False
        return True

    @property
    def complete(self) -> bool:
        """Whether it stands after a value or a name, with every bracket closed."""
        return self._operand and len(self._levels) == 1

    def _open(self, rest: str) -> bool:
        """A quoted text or name that is not closed yet, or half of a sign."""
        if not HALF.fullmatch(rest) or len(rest) > LONGEST:
            return False
        if rest[0] == '"':
            return any(each.startswith(rest[1:].lower()) for each in self._allowed() - KEYWORDS)
        return self._operand if rest in "!|" else self._value()

    def _value(self) -> bool:
        """Whether a number or a text can stand here."""
        return (not self._operand and self._last not in ("", ".", "from", "join", "by", "is", *PAIRS)) \
            or self._last in ("limit", "offset")

    def _take(self, token: str, last: bool) -> bool:
        """Read a token; one that is `last` may still go on."""
        first = token[0]
        if self._last in self._guide.calls and token != "(":
            return False
        if first.isalpha() or first in '_"':
            return self._word(token.strip('"').lower(), last and first != '"', first == '"')
        if first.isdigit() or first == "'":
            fits = self._value() and (first == "'" or len(token) <= DIGITS)
            return self._read(token, True) if fits else False
        if token == "(":
            return self._enter()
        if token == ")":
            return self._operand and len(self._levels) > 1 and self._leave()
        return self._sign(token)

    def _read(self, token: str, operand: bool) -> bool:
        self._before, self._last, self._operand = self._last, token, operand
        return True

    def _sign(self, token: str) -> bool:
        if token == "*" and not self._operand:
            return self._last in ("select", "(", ",", ".") and self._read(token, True)
        if token == ".":
            named = self._owner(self._last) and self._before not in (".", "from", "join")
            return named and self._read(token, False)
        if token == "-" and not self._operand:
            return self._value() and self._read(token, False)
        if token == ",":
            return self._operand and self._levels[-1].place not in ("limit", "join") and self._read(token, False)
        return self._operand and self._levels[-1].place not in ("from", "join") and self._read(token, False)

    def _enter(self) -> bool:
        """An opening bracket: of a function, of values after IN, of a nested SELECT or of a part."""
        if (self._operand and self._last not in FUNCTIONS) or self._last in ("", ".", "limit", "join", "is"):
            return False
        place = "whole" if self._last in ("from", "exists") else self._levels[-1].place
        self._levels.append(_Level(place))
        return self._read("(", False)

    def _leave(self) -> bool:
        self._levels.pop()
        return self._read(")", True)

    def _owner(self, name: str) -> bool:
        """Whether a point can follow a name; one that is a column's as well was not the column."""
        for level in self._levels:
            if level.columns[-1:] == [("", name)]:
                level.columns.pop()
        return name in self._guide.tables or any(name in level.aliases for level in self._levels) \
            or bool(re.fullmatch(r"t\d", name))

    def _word(self, word: str, last: bool, quoted: bool) -> bool:
        """A name or a keyword, perhaps not whole yet."""
        if self._last == "as":
            return (last and len(word) <= LONGEST // 4) or self._named(word)
        allowed = self._allowed()
        if last:
            return any(each.startswith(word) for each in allowed)
        if word not in allowed:
            return False
        keyword = word in KEYWORDS and not quoted
        self._note(word, keyword)
        return self._read(word, not keyword or word in VALUED)

    def _named(self, word: str) -> bool:
        """A name given by AS to a table, or to a column of the result, or the type of a CAST."""
        level = self._levels[-1]
        level.aliases[word] = level.tables[-1] if level.place in ("from", "join") and level.tables else ""
        return word not in KEYWORDS and self._read(word, True)

    def _allowed(self) -> frozenset[str]:
        """The words that may stand here."""
        level, last = self._levels[-1], self._last
        if not last:
            return frozenset(("select",))
        if last == ".":
            return self._columns_of(self._before)
        if level.place == "whole":
            return frozenset(("select",))
        if last in ("from", "join") or (last == "," and level.place == "from"):
            return self._sources(level)
        if self._operand and last not in ("asc", "desc"):
            more = FOLLOWS.get(level.place, EXPRESSION) if level.query else EXPRESSION | {"as"}
            return more - LEAVING if level.place in ("from", "on") and self._lacking(level) else more
        if last in PAIRS:
            return PAIRS[last]
        also = {"select": {"distinct"}, "not": NOT, "(": {"distinct"}}.get(last, frozenset())
        return STARTS | FUNCTIONS | also | self._visible()

    def _columns_of(self, owner: str) -> frozenset[str]:
        table = next((level.aliases[owner] for level in reversed(self._levels) if level.aliases.get(owner)), owner)
        return self._guide.columns.get(table, self._guide.every)

    def _sources(self, level: _Level) -> frozenset[str]:
        """Tables for a FROM: the first one has a bare column that the SELECT names, when it names only such. None
        stands twice without a name of its own."""
        tables = self._guide.tables - (set(level.tables) - set(level.aliases.values()))
        if level.tables or not level.columns or any(owner for owner, _ in level.columns):
            return tables
        fitting = {name for name in tables for _, column in level.columns if column in self._guide.columns[name]}
        return frozenset(fitting) or tables

    def _lacking(self, level: _Level) -> bool:
        """Whether the SELECT names a column of a table that its FROM does not read yet."""
        read = {level.aliases.get(name, name) for name in (*level.tables, *level.aliases)}
        around = {name for other in self._levels if other is not level for name in (*other.tables, *other.aliases)}
        for owner, column in level.columns:
            if owner and owner not in level.aliases and owner not in read | around:
                return True
            if not owner and not any(column in self._guide.columns.get(name, ()) for name in read | around):
                return True
        return False

    def _visible(self) -> frozenset[str]:
        """Columns that may stand bare here, tables whose columns may stand here, and names given by AS."""
        given = {name for level in self._levels for name in level.aliases}
        query = next((level for level in reversed(self._levels) if level.query), self._levels[0])
        if query.place == "select":
            return self._guide.every | self._guide.tables | given | {"t1", "t2", "t3", "t4"}
        tables = {name for level in self._levels for name in level.tables}
        return frozenset(tables.union(given, *(self._guide.columns[name] for name in tables)))

    def _note(self, word: str, keyword: bool) -> None:
        """Remember what a whole word says of the statement."""
        level = self._levels[-1]
        if keyword and word == "select":
            self._levels[-1] = _Level("select", True)
        elif keyword and word in CLAUSES:
            level.place = "from" if self._last == "cross" else word
        elif level.place in ("from", "join") and word in self._guide.tables:
            level.tables.append(word)
        else:
            query = next((each for each in reversed(self._levels) if each.query), level)
            if query.place == "select" and word in self._guide.every and not keyword:
                query.columns.append((self._before if self._last == "." else "", word))


@lru_cache(maxsize=256)
def guide_of(schema: str) -> SqlGuide:
    """The guide over a schema in its JSON text, made once a process."""
    return SqlGuide(Schema.from_json(json.loads(schema)))
