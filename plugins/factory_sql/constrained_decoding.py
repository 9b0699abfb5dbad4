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

from factory_sql.database import NON_WINDOW_FUNCTIONS, QueryRefusedError
from factory_sql.decoding_keywords import (
    AFTER_NOT_KEYWORDS,
    CLAUSE_KEYWORDS,
    DECODING_KEYWORDS,
    EXPRESSION_KEYWORDS,
    FROM_END_KEYWORDS,
    KEYWORDS_AFTER_CLAUSE,
    OPERAND_KEYWORDS,
    REQUIRED_NEXT_KEYWORDS,
    VALUE_START_KEYWORDS,
)
from factory_sql.guard import check_sql
from factory_sql.schema import DatabaseSchema

TOKEN_PATTERN = re.compile(
    r"""\s|'(?:[^']|'')*'(?!')|"[^"]*"|\d+(?:\.\d*)?(?![A-Za-z_])|[^\W\d]\w*|<>|<=|>=|!=|\|\||[(),.*<>=+/%-]"""
)
PARTIAL_TOKEN = re.compile(r"""'(?:[^']|'')*|"[^"]*|[!|]""")
MAX_QUOTED_LENGTH = 80
MAX_NUMBER_LENGTH = 12
PREFIX_CACHE_SIZE = 512
"""Beginnings of texts that a guide remembers."""


@dataclass(slots=True)
class _BracketLevel:
    """What is known between a pair of brackets: its clause, and for a SELECT what it names and reads."""

    clause: str = ""
    is_query: bool = False
    tables: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    columns: list[tuple[str, str]] = field(default_factory=list)

    def copy(self) -> _BracketLevel:
        """Another with the same."""
        return _BracketLevel(self.clause, self.is_query, [*self.tables], {**self.aliases}, [*self.columns])


class SqlDecodingGuide:
    """A guide over one schema: (text so far, whether it ends here) → whether an answer may begin, or end, so."""

    def __init__(self, schema: DatabaseSchema) -> None:
        self._schema = schema
        self.tables = frozenset(schema.lowered)
        self.columns = {low: frozenset(columns) for low, columns in schema.columns.items()}
        self.all_columns = frozenset(name for columns in self.columns.values() for name in columns)
        self._prefix_cache: dict[str, tuple[bool | None, _SqlPrefixParser]] = {}
        self.function_names = NON_WINDOW_FUNCTIONS - self.all_columns - self.tables - EXPRESSION_KEYWORDS

    def __call__(self, text: str, ends: bool) -> bool:
        if not ends:
            return self._can_continue(text)
        walk = _SqlPrefixParser(self)
        if not (walk.feed_text(text, whole=True) and walk.is_complete):
            return False
        try:
            check_sql(text, self._schema)
        except QueryRefusedError:
            return False
        return True

    def _can_continue(self, text: str) -> bool:
        """Whether a statement can still come of the text. What stands before its last space is read once: a decoder
        asks of many tokens after the same text."""
        cut = text.rfind(" ")
        if cut <= 0:
            return bool(_SqlPrefixParser(self).feed_text(text))
        if text[:cut] not in self._prefix_cache:
            if len(self._prefix_cache) >= PREFIX_CACHE_SIZE:
                self._prefix_cache.clear()
            walk = _SqlPrefixParser(self)
            self._prefix_cache[text[:cut]] = (walk.feed_text(text[:cut], whole=True), walk)
        fits, walk = self._prefix_cache[text[:cut]]
        if fits is None:  # the space is inside quotes
            return bool(_SqlPrefixParser(self).feed_text(text))
        return fits and bool(walk.copy().feed_text(text[cut:]))


class _SqlPrefixParser:
    """One reading of a text from its start."""

    def __init__(self, guide: SqlDecodingGuide) -> None:
        self._guide = guide
        self._levels = [_BracketLevel()]
        self._last_token = self._token_before = ""
        self._after_operand, self._after_space = False, True

    def copy(self) -> _SqlPrefixParser:
        """The same place in the same text, from where to go on in another way."""
        made = _SqlPrefixParser(self._guide)
        made._levels = [level.copy() for level in self._levels]
        made._last_token, made._token_before, made._after_operand, made._after_space = self._last_token, self._token_before, self._after_operand, self._after_space
        return made

    def feed_text(self, text: str, whole: bool = False) -> bool | None:
        """Whether a statement can still come of what was read and this text. Its last word may go on, unless it is
        `whole`; then a quote that stays open is None."""
        at = 0
        while at < len(text):
            match = TOKEN_PATTERN.match(text, at)
            if match is None:
                return (None if whole else True) if self._is_valid_partial_token(text[at:]) else False
            token, at = match.group(), match.end()
            if token.isspace():
                if self._after_space:
                    return False
                self._after_space = True
                continue
            self._after_space = False
            if not self._take_token(token, at == len(text) and not whole):
                return False
        return True

    @property
    def is_complete(self) -> bool:
        """Whether it stands after a value or a name, with every bracket closed."""
        return self._after_operand and len(self._levels) == 1

    def _is_valid_partial_token(self, rest: str) -> bool:
        """A quoted text or name that is not closed yet, or half of a sign."""
        if not PARTIAL_TOKEN.fullmatch(rest) or len(rest) > MAX_QUOTED_LENGTH:
            return False
        if rest[0] == '"':
            return any(each.startswith(rest[1:].lower()) for each in self._list_allowed_words() - DECODING_KEYWORDS)
        return self._after_operand if rest in "!|" else self._can_start_value()

    def _can_start_value(self) -> bool:
        """Whether a number or a text can stand here."""
        return (not self._after_operand and self._last_token not in ("", ".", "from", "join", "by", "is", *REQUIRED_NEXT_KEYWORDS)) \
            or self._last_token in ("limit", "offset")

    def _take_token(self, token: str, last: bool) -> bool:
        """Read a token; one that is `last` may still go on."""
        first = token[0]
        if self._last_token in self._guide.function_names and token != "(":
            return False
        if first.isalpha() or first in '_"':
            return self._accept_word(token.strip('"').lower(), last and first != '"', first == '"')
        if first.isdigit() or first == "'":
            fits = self._can_start_value() and (first == "'" or len(token) <= MAX_NUMBER_LENGTH)
            return self._accept_token(token, True) if fits else False
        if token == "(":
            return self._open_bracket()
        if token == ")":
            return self._after_operand and len(self._levels) > 1 and self._close_bracket()
        return self._accept_sign(token)

    def _accept_token(self, token: str, operand: bool) -> bool:
        self._token_before, self._last_token, self._after_operand = self._last_token, token, operand
        return True

    def _accept_sign(self, token: str) -> bool:
        if token == "*" and not self._after_operand:
            return self._last_token in ("select", "(", ",", ".") and self._accept_token(token, True)
        if token == ".":
            named = self._can_qualify_column(self._last_token) and self._token_before not in (".", "from", "join")
            return named and self._accept_token(token, False)
        if token == "-" and not self._after_operand:
            return self._can_start_value() and self._accept_token(token, False)
        if token == ",":
            return self._after_operand and self._levels[-1].clause not in ("limit", "join") and self._accept_token(token, False)
        return self._after_operand and self._levels[-1].clause not in ("from", "join") and self._accept_token(token, False)

    def _open_bracket(self) -> bool:
        """An opening bracket: of a function, of values after IN, of a nested SELECT or of a part."""
        if (self._after_operand and self._last_token not in NON_WINDOW_FUNCTIONS) or self._last_token in ("", ".", "limit", "join", "is"):
            return False
        place = "whole" if self._last_token in ("from", "exists") else self._levels[-1].clause
        self._levels.append(_BracketLevel(place))
        return self._accept_token("(", False)

    def _close_bracket(self) -> bool:
        self._levels.pop()
        return self._accept_token(")", True)

    def _can_qualify_column(self, name: str) -> bool:
        """Whether a point can follow a name; one that is a column's as well was not the column."""
        for level in self._levels:
            if level.columns[-1:] == [("", name)]:
                level.columns.pop()
        return name in self._guide.tables or any(name in level.aliases for level in self._levels) \
            or bool(re.fullmatch(r"t\d", name))

    def _accept_word(self, word: str, last: bool, quoted: bool) -> bool:
        """A name or a keyword, perhaps not whole yet."""
        if self._last_token == "as":
            return (last and len(word) <= MAX_QUOTED_LENGTH // 4) or self._accept_alias(word)
        allowed = self._list_allowed_words()
        if last:
            return any(each.startswith(word) for each in allowed)
        if word not in allowed:
            return False
        keyword = word in DECODING_KEYWORDS and not quoted
        self._record_word(word, keyword)
        return self._accept_token(word, not keyword or word in OPERAND_KEYWORDS)

    def _accept_alias(self, word: str) -> bool:
        """A name given by AS to a table, or to a column of the result, or the type of a CAST."""
        level = self._levels[-1]
        level.aliases[word] = level.tables[-1] if level.clause in ("from", "join") and level.tables else ""
        return word not in DECODING_KEYWORDS and self._accept_token(word, True)

    def _list_allowed_words(self) -> frozenset[str]:
        """The words that may stand here."""
        level, last = self._levels[-1], self._last_token
        if not last:
            return frozenset(("select",))
        if last == ".":
            return self._list_owner_columns(self._token_before)
        if level.clause == "whole":
            return frozenset(("select",))
        if last in ("from", "join") or (last == "," and level.clause == "from"):
            return self._list_from_tables(level)
        if self._after_operand and last not in ("asc", "desc"):
            more = KEYWORDS_AFTER_CLAUSE.get(level.clause, EXPRESSION_KEYWORDS) if level.is_query else EXPRESSION_KEYWORDS | {"as"}
            return more - FROM_END_KEYWORDS if level.clause in ("from", "on") and self._has_missing_table(level) else more
        if last in REQUIRED_NEXT_KEYWORDS:
            return REQUIRED_NEXT_KEYWORDS[last]
        also = {"select": {"distinct"}, "not": AFTER_NOT_KEYWORDS, "(": {"distinct"}}.get(last, frozenset())
        return VALUE_START_KEYWORDS | NON_WINDOW_FUNCTIONS | also | self._list_visible_names()

    def _list_owner_columns(self, owner: str) -> frozenset[str]:
        table = next((level.aliases[owner] for level in reversed(self._levels) if level.aliases.get(owner)), owner)
        return self._guide.columns.get(table, self._guide.all_columns)

    def _list_from_tables(self, level: _BracketLevel) -> frozenset[str]:
        """Tables for a FROM: the first one has a bare column that the SELECT names, when it names only such. None
        stands twice without a name of its own."""
        tables = self._guide.tables - (set(level.tables) - set(level.aliases.values()))
        if level.tables or not level.columns or any(owner for owner, _ in level.columns):
            return tables
        fitting = {name for name in tables for _, column in level.columns if column in self._guide.columns[name]}
        return frozenset(fitting) or tables

    def _has_missing_table(self, level: _BracketLevel) -> bool:
        """Whether the SELECT names a column of a table that its FROM does not read yet."""
        read = {level.aliases.get(name, name) for name in (*level.tables, *level.aliases)}
        around = {name for other in self._levels if other is not level for name in (*other.tables, *other.aliases)}
        for owner, column in level.columns:
            if owner and owner not in level.aliases and owner not in read | around:
                return True
            if not owner and not any(column in self._guide.columns.get(name, ()) for name in read | around):
                return True
        return False

    def _list_visible_names(self) -> frozenset[str]:
        """Columns that may stand bare here, tables whose columns may stand here, and names given by AS."""
        given = {name for level in self._levels for name in level.aliases}
        query = next((level for level in reversed(self._levels) if level.is_query), self._levels[0])
        if query.clause == "select":
            return self._guide.all_columns | self._guide.tables | given | {"t1", "t2", "t3", "t4"}
        tables = {name for level in self._levels for name in level.tables}
        return frozenset(tables.union(given, *(self._guide.columns[name] for name in tables)))

    def _record_word(self, word: str, keyword: bool) -> None:
        """Remember what a whole word says of the statement."""
        level = self._levels[-1]
        if keyword and word == "select":
            self._levels[-1] = _BracketLevel("select", True)
        elif keyword and word in CLAUSE_KEYWORDS:
            level.clause = "from" if self._last_token == "cross" else word
        elif level.clause in ("from", "join") and word in self._guide.tables:
            level.tables.append(word)
        else:
            query = next((each for each in reversed(self._levels) if each.is_query), level)
            if query.clause == "select" and word in self._guide.all_columns and not keyword:
                query.columns.append((self._token_before if self._last_token == "." else "", word))


@lru_cache(maxsize=256)
def get_sql_guide(schema: str) -> SqlDecodingGuide:
    """The guide over a schema in its JSON text, made once a process."""
    return SqlDecodingGuide(DatabaseSchema.from_json(json.loads(schema)))
