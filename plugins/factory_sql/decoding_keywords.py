"""Sets of SQL keywords for constrained decoding: all that are allowed, and what can follow each."""

from __future__ import annotations

EXPRESSION = frozenset((
    "and", "or", "not", "in", "is", "like", "between", "glob", "then", "when", "else", "end", "escape",
))
QUERY_END = frozenset(("order", "limit", "union", "intersect", "except"))
AFTER_SOURCE = frozenset(("as", "join", "left", "inner", "cross", "where", "group")) | QUERY_END
AFTER_CLAUSE: dict[str, frozenset[str]] = {
    "select": EXPRESSION | {"as", "from"}, "from": AFTER_SOURCE, "join": frozenset(("as", "on")),
    "on": EXPRESSION | (AFTER_SOURCE - {"as"}), "where": EXPRESSION | {"group"} | QUERY_END,
    "group": EXPRESSION | {"having"} | QUERY_END, "having": EXPRESSION | QUERY_END,
    "order": EXPRESSION | {"asc", "desc", "limit"}, "limit": frozenset(("offset",)), "offset": frozenset(),
}
"""Keywords that can follow a complete value or name, by clause."""

VALUE_START = frozenset(("not", "exists", "case", "cast", "null", "select"))
"""Keywords that can start a value."""

REQUIRED_NEXT: dict[str, frozenset[str]] = {
    "group": frozenset(("by",)), "order": frozenset(("by",)), "left": frozenset(("join", "outer")),
    "outer": frozenset(("join",)), "inner": frozenset(("join",)), "cross": frozenset(("join",)),
    "union": frozenset(("all", "select")), "all": frozenset(("select",)), "intersect": frozenset(("select",)),
    "except": frozenset(("select",)), "is": frozenset(("not", "null")), "limit": frozenset(), "offset": frozenset(),
    "asc": frozenset(("limit",)), "desc": frozenset(("limit",)), "exists": frozenset(),
}
"""The only keywords that can follow a keyword."""

AFTER_NOT = frozenset(("in", "like", "between", "null", "exists", "glob"))
ALL = VALUE_START | AFTER_NOT | EXPRESSION | AFTER_SOURCE | {
    "by", "from", "on", "having", "asc", "desc", "offset", "outer", "all", "distinct",
}
OPERANDS = frozenset(("null", "end", "asc", "desc"))
CLAUSES = frozenset(AFTER_CLAUSE) - {"select"}
FROM_END = frozenset(("where", "group")) | QUERY_END
