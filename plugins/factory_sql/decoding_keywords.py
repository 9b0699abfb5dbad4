"""SQL keywords allowed by constrained decoding, and what can follow each."""

from __future__ import annotations

EXPRESSION_KEYWORDS = frozenset((
    "and", "or", "not", "in", "is", "like", "between", "glob", "then", "when", "else", "end", "escape",
))
SET_OPERATORS = frozenset(("union", "intersect", "except"))
QUERY_END_KEYWORDS = frozenset(("order", "limit")) | SET_OPERATORS
AFTER_SOURCE_KEYWORDS = frozenset(("as", "join", "left", "inner", "cross", "where", "group")) | QUERY_END_KEYWORDS
KEYWORDS_AFTER_CLAUSE: dict[str, frozenset[str]] = {
    "select": EXPRESSION_KEYWORDS | {"as", "from"}, "from": AFTER_SOURCE_KEYWORDS, "join": frozenset(("as", "on")),
    "on": EXPRESSION_KEYWORDS | (AFTER_SOURCE_KEYWORDS - {"as"}),
    "where": EXPRESSION_KEYWORDS | {"group"} | QUERY_END_KEYWORDS,
    "group": EXPRESSION_KEYWORDS | {"having"} | QUERY_END_KEYWORDS, "having": EXPRESSION_KEYWORDS | QUERY_END_KEYWORDS,
    "order": EXPRESSION_KEYWORDS | {"asc", "desc", "limit"}, "limit": frozenset(("offset",)), "offset": frozenset(),
}
"""Keywords that can follow a complete value or name, by clause."""

VALUE_START_KEYWORDS = frozenset(("not", "exists", "case", "cast", "null", "select"))
"""Keywords that can start a value."""

REQUIRED_NEXT_KEYWORDS: dict[str, frozenset[str]] = {
    "group": frozenset(("by",)), "order": frozenset(("by",)), "left": frozenset(("join", "outer")),
    "outer": frozenset(("join",)), "inner": frozenset(("join",)), "cross": frozenset(("join",)),
    "union": frozenset(("all", "select")), "all": frozenset(("select",)), "intersect": frozenset(("select",)),
    "except": frozenset(("select",)), "is": frozenset(("not", "null")), "limit": frozenset(), "offset": frozenset(),
    "asc": frozenset(("limit",)), "desc": frozenset(("limit",)), "exists": frozenset(),
}
"""The only keywords that can follow a keyword."""

AFTER_NOT_KEYWORDS = frozenset(("in", "like", "between", "null", "exists", "glob"))
DECODING_KEYWORDS = VALUE_START_KEYWORDS | AFTER_NOT_KEYWORDS | EXPRESSION_KEYWORDS | AFTER_SOURCE_KEYWORDS | {
    "by", "from", "on", "having", "asc", "desc", "offset", "outer", "all", "distinct",
}
OPERAND_KEYWORDS = frozenset(("null", "end", "asc", "desc"))
CLAUSE_KEYWORDS = frozenset(KEYWORDS_AFTER_CLAUSE) - {"select"}
FROM_END_KEYWORDS = frozenset(("where", "group")) | QUERY_END_KEYWORDS
