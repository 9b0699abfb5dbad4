"""The keywords of the SQL that a guide lets through, and what can stand after each."""

from __future__ import annotations

EXPRESSION = frozenset((
    "and", "or", "not", "in", "is", "like", "between", "glob", "then", "when", "else", "end", "escape",
))
SETS = frozenset(("union", "intersect", "except"))
ENDS = frozenset(("order", "limit")) | SETS
SOURCES = frozenset(("as", "join", "left", "inner", "cross", "where", "group")) | ENDS
FOLLOWS: dict[str, frozenset[str]] = {
    "select": EXPRESSION | {"as", "from"}, "from": SOURCES, "join": frozenset(("as", "on")),
    "on": EXPRESSION | (SOURCES - {"as"}), "where": EXPRESSION | {"group"} | ENDS,
    "group": EXPRESSION | {"having"} | ENDS, "having": EXPRESSION | ENDS,
    "order": EXPRESSION | {"asc", "desc", "limit"}, "limit": frozenset(("offset",)), "offset": frozenset(),
}
"""Clause → keywords that can stand after a whole value or name in it."""

STARTS = frozenset((
    "not", "exists", "case", "cast", "null", "select",
))
"""Keywords with which a value can begin."""

PAIRS: dict[str, frozenset[str]] = {
    "group": frozenset(("by",)), "order": frozenset(("by",)), "left": frozenset(("join", "outer")),
    "outer": frozenset(("join",)), "inner": frozenset(("join",)), "cross": frozenset(("join",)),
    "union": frozenset(("all", "select")), "all": frozenset(("select",)), "intersect": frozenset(("select",)),
    "except": frozenset(("select",)), "is": frozenset(("not", "null")), "limit": frozenset(), "offset": frozenset(),
    "asc": frozenset(("limit",)), "desc": frozenset(("limit",)), "exists": frozenset(),
}
"""Keyword → the only ones that can follow it."""

NOT = frozenset(("in", "like", "between", "null", "exists", "glob"))
KEYWORDS = STARTS | NOT | EXPRESSION | SOURCES | frozenset((
    "by", "from", "on", "having", "asc", "desc", "offset", "outer", "all", "distinct",
))
VALUED = frozenset(("null", "end", "asc", "desc"))
CLAUSES = frozenset(FOLLOWS) - {"select"}
LEAVING = frozenset(("where", "group")) | ENDS
