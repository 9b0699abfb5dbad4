"""Constrained decoding for SQL: a prefix is allowed only if a valid statement over the schema can still follow.

Every complete word must be a keyword allowed at its position, an allowed function, or a name of the schema; an
incomplete last word must be a prefix of one. FROM and JOIN take tables, `table.` takes that table's columns, and once a
FROM is known, bare columns must belong to its tables. Quotes and brackets must match, and the end must pass the guard.
Only certain errors are rejected; what is merely unlikely is left to the model.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache

from factory_sql import decoding_keywords as keywords
from factory_sql.database import NON_WINDOW_FUNCTIONS, QueryRefusedError
from factory_sql.guard import check_sql
from factory_sql.schema import DatabaseSchema

TOKEN_PATTERN = re.compile(
    r"""\s|'(?:[^']|'')*'(?!')|"[^"]*"|\d+(?:\.\d*)?(?![A-Za-z_])|[^\W\d]\w*|<>|<=|>=|!=|\|\||[(),.*<>=+/%-]"""
)
PARTIAL_TOKEN = re.compile(r"""'(?:[^']|'')*|"[^"]*|[!|]""")
MAX_QUOTED_LENGTH, MAX_NUMBER_LENGTH = 80, 12
PREFIX_CACHE_SIZE = 512
"""Maximum number of parsed prefixes that a guide caches."""


@dataclass(slots=True)
class _BracketLevel:
    """State between a pair of brackets: the clause, and for a SELECT its tables, aliases and columns."""

    clause: str = ""
    is_query: bool = False
    tables: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    columns: list[tuple[str, str]] = field(default_factory=list)

    def copy(self) -> _BracketLevel:
        """Return an independent copy."""
        return _BracketLevel(self.clause, self.is_query, [*self.tables], {**self.aliases}, [*self.columns])


class SqlDecodingGuide:
    """Decoding guide for one schema: (text, ends) → whether an answer may start with, or be, the text."""

    def __init__(self, schema: DatabaseSchema) -> None:
        self._schema = schema
        self.tables = frozenset(schema.lowered)
        self.columns = {low: frozenset(columns) for low, columns in schema.columns.items()}
        self.all_columns = frozenset(name for columns in self.columns.values() for name in columns)
        self._prefix_cache: dict[str, tuple[bool | None, _SqlPrefixParser]] = {}
        self.function_names = NON_WINDOW_FUNCTIONS - self.all_columns - self.tables - keywords.EXPRESSION

    def __call__(self, text: str, ends: bool) -> bool:
        if not ends:
            return self._can_continue(text)
        parser = _SqlPrefixParser(self)
        if not (parser.feed_text(text, whole=True) and parser.is_complete):
            return False
        try:
            check_sql(text, self._schema)
        except QueryRefusedError:
            return False
        return True

    def _can_continue(self, text: str) -> bool:
        """Whether a statement can still follow."""
        # The part up to the last space is parsed once and cached: a decoder tries many tokens after the same text.
        cut = text.rfind(" ")
        if cut <= 0:
            return bool(_SqlPrefixParser(self).feed_text(text))
        if text[:cut] not in self._prefix_cache:
            if len(self._prefix_cache) >= PREFIX_CACHE_SIZE:
                self._prefix_cache.clear()
            parser = _SqlPrefixParser(self)
            self._prefix_cache[text[:cut]] = (parser.feed_text(text[:cut], whole=True), parser)
        fits, parser = self._prefix_cache[text[:cut]]
        # None: the last space is inside quotes, so the cached state ends inside a token.
        if fits is None:
            return bool(_SqlPrefixParser(self).feed_text(text))
        return fits and bool(parser.copy().feed_text(text[cut:]))


class _SqlPrefixParser:
    """Parser of a statement's prefix, token by token."""

    def __init__(self, guide: SqlDecodingGuide) -> None:
        self._guide = guide
        self._levels = [_BracketLevel()]
        self._last_token = self._token_before = ""
        self._after_operand, self._after_space = False, True

    def copy(self) -> _SqlPrefixParser:
        """Return an independent copy of the parser's state."""
        other = _SqlPrefixParser(self._guide)
        other._levels = [level.copy() for level in self._levels]
        other._last_token, other._token_before = self._last_token, self._token_before
        other._after_operand, other._after_space = self._after_operand, self._after_space
        return other

    def feed_text(self, text: str, whole: bool = False) -> bool | None:
        """Whether a statement can still follow after this text. Its last word may be incomplete, unless it is `whole`;
        then the result is None inside an open quote."""
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
        """Whether the prefix ends after a value or a name, with every bracket closed."""
        return self._after_operand and len(self._levels) == 1

    def _is_valid_partial_token(self, rest: str) -> bool:
        """Whether the rest is an open quoted text or name, or the first half of an operator."""
        if not PARTIAL_TOKEN.fullmatch(rest) or len(rest) > MAX_QUOTED_LENGTH:
            return False
        if rest[0] == '"':
            return any(name.startswith(rest[1:].lower()) for name in self._list_allowed_words() - keywords.ALL)
        return self._after_operand if rest in "!|" else self._can_start_value()

    def _can_start_value(self) -> bool:
        """Whether a number or a string can stand here."""
        if self._last_token in ("limit", "offset"):
            return True
        no_value_after = ("", ".", "from", "join", "by", "is", *keywords.REQUIRED_NEXT)
        return not self._after_operand and self._last_token not in no_value_after

    def _take_token(self, token: str, last: bool) -> bool:
        """Consume a token; the `last` one may be incomplete."""
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
            if not self._after_operand or len(self._levels) == 1:
                return False
            self._levels.pop()
            return self._accept_token(")", True)
        return self._accept_sign(token)

    def _accept_token(self, token: str, operand: bool) -> bool:
        self._token_before, self._last_token, self._after_operand = self._last_token, token, operand
        return True

    def _accept_sign(self, token: str) -> bool:
        clause = self._levels[-1].clause
        if token == "*" and not self._after_operand:
            return self._last_token in ("select", "(", ",", ".") and self._accept_token(token, True)
        if token == ".":
            # The call comes first: it also removes a recorded column that turns out to be a table's name.
            qualifies = self._can_qualify_column(self._last_token) and self._token_before not in (".", "from", "join")
            return qualifies and self._accept_token(token, False)
        if token == "-" and not self._after_operand:
            return self._can_start_value() and self._accept_token(token, False)
        forbidden_clauses = ("limit", "join") if token == "," else ("from", "join")
        return self._after_operand and clause not in forbidden_clauses and self._accept_token(token, False)

    def _open_bracket(self) -> bool:
        """Open a bracket of a function, of the values after IN, of a nested SELECT or of a subexpression."""
        if self._after_operand and self._last_token not in NON_WINDOW_FUNCTIONS:
            return False
        if self._last_token in ("", ".", "limit", "join", "is"):
            return False
        # "whole" marks a bracket that must contain a SELECT.
        clause = "whole" if self._last_token in ("from", "exists") else self._levels[-1].clause
        self._levels.append(_BracketLevel(clause))
        return self._accept_token("(", False)

    def _can_qualify_column(self, name: str) -> bool:
        """Whether a point can follow a name; a name recorded as a column is removed, since it was not one."""
        for level in self._levels:
            if level.columns[-1:] == [("", name)]:
                level.columns.pop()
        is_alias = any(name in level.aliases for level in self._levels) or re.fullmatch(r"t\d", name)
        return name in self._guide.tables or bool(is_alias)

    def _accept_word(self, word: str, last: bool, quoted: bool) -> bool:
        """Consume a name or keyword, possibly incomplete."""
        if self._last_token == "as":
            return (last and len(word) <= MAX_QUOTED_LENGTH // 4) or self._accept_alias(word)
        allowed = self._list_allowed_words()
        if last:
            return any(candidate.startswith(word) for candidate in allowed)
        if word not in allowed:
            return False
        is_keyword = word in keywords.ALL and not quoted
        self._record_word(word, is_keyword)
        return self._accept_token(word, not is_keyword or word in keywords.OPERANDS)

    def _accept_alias(self, word: str) -> bool:
        """Consume a name after AS: of a table, of a result column, or the type of a CAST."""
        level = self._levels[-1]
        level.aliases[word] = level.tables[-1] if level.clause in ("from", "join") and level.tables else ""
        return word not in keywords.ALL and self._accept_token(word, True)

    def _list_allowed_words(self) -> frozenset[str]:
        """Return the words allowed at this position."""
        level, last = self._levels[-1], self._last_token
        if last == ".":
            owner = self._token_before
            aliases = (outer.aliases for outer in reversed(self._levels))
            table = next((names[owner] for names in aliases if names.get(owner)), owner)
            return self._guide.columns.get(table, self._guide.all_columns)
        if not last or level.clause == "whole":
            return frozenset(("select",))
        if last in ("from", "join") or (last == "," and level.clause == "from"):
            return self._list_from_tables(level)
        if self._after_operand and last not in ("asc", "desc"):
            following = keywords.EXPRESSION | {"as"}
            if level.is_query:
                following = keywords.AFTER_CLAUSE.get(level.clause, keywords.EXPRESSION)
            # A FROM cannot end before it reads every table that the SELECT names.
            cannot_end = level.clause in ("from", "on") and self._has_missing_table(level)
            return following - keywords.FROM_END if cannot_end else following
        if last in keywords.REQUIRED_NEXT:
            return keywords.REQUIRED_NEXT[last]
        also = {"select": {"distinct"}, "not": keywords.AFTER_NOT, "(": {"distinct"}}.get(last, frozenset())
        return keywords.VALUE_START | NON_WINDOW_FUNCTIONS | also | self._list_visible_names()

    def _list_from_tables(self, level: _BracketLevel) -> frozenset[str]:
        """Return the tables allowed in a FROM, each once unless it has an alias. If the SELECT names only bare
        columns, the first table must have one of them."""
        tables = self._guide.tables - (set(level.tables) - set(level.aliases.values()))
        if level.tables or not level.columns or any(owner for owner, _ in level.columns):
            return tables
        fitting = {name for name in tables for _, column in level.columns if column in self._guide.columns[name]}
        return frozenset(fitting) or tables

    def _has_missing_table(self, level: _BracketLevel) -> bool:
        """Whether the SELECT names a column of a table that its FROM does not read yet."""
        visible = {level.aliases.get(name, name) for name in (*level.tables, *level.aliases)}
        visible |= {name for other in self._levels if other is not level for name in (*other.tables, *other.aliases)}
        columns = [self._guide.columns.get(name, frozenset()) for name in visible]
        return any(
            owner not in level.aliases and owner not in visible if owner else not any(column in c for c in columns)
            for owner, column in level.columns
        )

    def _list_visible_names(self) -> frozenset[str]:
        """Return bare columns, tables that can qualify a column, and aliases allowed at this position."""
        aliases = {name for level in self._levels for name in level.aliases}
        query = next((level for level in reversed(self._levels) if level.is_query), self._levels[0])
        if query.clause == "select":
            return self._guide.all_columns | self._guide.tables | aliases | {"t1", "t2", "t3", "t4"}
        tables = {name for level in self._levels for name in level.tables}
        return frozenset(tables.union(aliases, *(self._guide.columns[name] for name in tables)))

    def _record_word(self, word: str, is_keyword: bool) -> None:
        """Update the bracket's state with a complete word."""
        level = self._levels[-1]
        if is_keyword and word == "select":
            self._levels[-1] = _BracketLevel("select", True)
        elif is_keyword and word in keywords.CLAUSES:
            level.clause = "from" if self._last_token == "cross" else word
        elif level.clause in ("from", "join") and word in self._guide.tables:
            level.tables.append(word)
        else:
            query = next((outer for outer in reversed(self._levels) if outer.is_query), level)
            if query.clause == "select" and word in self._guide.all_columns and not is_keyword:
                query.columns.append((self._token_before if self._last_token == "." else "", word))


@lru_cache(maxsize=256)
def get_sql_guide(schema: str) -> SqlDecodingGuide:
    """Return the guide for a schema in JSON, built once per process."""
    return SqlDecodingGuide(DatabaseSchema.from_json(json.loads(schema)))
