"""Questions and their SQL for any database: drawn by a grammar, run, and kept when they have an answer.

Every statement is in the one style of `canonical`, runs under the guard, gives at least one row with a value in it, and
stands once. A question that orders or takes the first rows is kept only when no equal keys leave its answer to luck.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from factory_sql import joins, shapes
from factory_sql.database import Database, RefusedError, Result
from factory_sql.facts import Facts, learn
from factory_sql.shapes import Draft, Shape

COLUMN = re.compile(r'"[^"]+"\."[^"]+"')
TRIES = 30
MOST = 300
"""Rows of an answer, at most: a question with more is no question that people ask."""

SHAPES: dict[str, tuple[tuple[Shape, int], ...]] = {
    "simple": ((shapes.rows, 10), (shapes.count, 7), (shapes.aggregate, 5), (shapes.top, 6), (shapes.in_order, 4),
               (shapes.distinct, 3), (shapes.count_distinct, 2), (shapes.extremes, 2)),
    "group": ((shapes.group_count, 5), (shapes.group_aggregate, 4), (shapes.having, 3), (shapes.top_group, 4)),
    "join": ((joins.join_rows, 6), (joins.join_count, 5), (joins.join_aggregate, 3), (joins.join_shown, 3),
             (joins.join_group, 4), (joins.join_having, 2), (joins.join_top, 4)),
    "nested": ((joins.against_average, 3), (joins.at_extreme, 2), (joins.without_any, 3), (joins.with_some, 3),
               (joins.sets, 2)),
}
SHARES = {"simple": 0.4, "group": 0.2, "join": 0.25, "nested": 0.15}


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, the SQL that answers it, and what kind of statement that is."""

    question: str
    sql: str
    construct: str


@lru_cache(maxsize=256)
def facts_of(database: Database) -> Facts:
    """What the grammar knows of a database, learnt once a process."""
    return learn(database)


def pairs(database: Database, count: int, seed: str, shares: Mapping[str, float] = SHARES) -> Iterator[Pair]:
    """At most `count` pairs, the same ones for the same seed; fewer when the database has no more to ask."""
    draw, facts = Random(seed), facts_of(database)
    if not facts.tables:
        return
    kinds, weights = list(shares), list(shares.values())
    seen: set[str] = set()
    asked: set[str] = set()
    made = 0
    for _ in range(count * TRIES):
        if made == count:
            return
        kind = draw.choices(kinds, weights)[0]
        options = SHAPES[kind]
        shape = draw.choices([shape for shape, _ in options], [weight for _, weight in options])[0]
        draft = shape(draw, facts)
        pair = _checked(draft, kind, database) if draft else None
        if pair and pair.sql not in seen and pair.question.lower() not in asked:
            seen.add(pair.sql)
            asked.add(pair.question.lower())
            made += 1
            yield pair


def _checked(draft: Draft, kind: str, database: Database) -> Pair | None:
    """The draft as a pair, when it has an answer that is not a matter of luck."""
    from factory_sql.canonical import canonical

    try:
        result = database.run(draft.sql, MOST)
        keys = database.run(draft.ties, MOST).rows if draft.ties else ()
    except RefusedError:
        return None
    if result.cut or not _answers(result) or len(set(keys)) < len(keys) or _idle(draft.sql):
        return None
    return Pair(draft.question[0].upper() + draft.question[1:], canonical(draft.sql, database.schema), kind)


def _idle(sql: str) -> bool:
    """Whether a condition fixes the very column that is asked for."""
    shown, _, rest = sql.removeprefix("SELECT ").removeprefix("DISTINCT ").partition(" FROM ")
    where = rest.partition(" WHERE ")[2]
    return any(f"{column} {sign} " in where for column in COLUMN.findall(shown) for sign in ("=", "IN"))


def _answers(result: Result) -> bool:
    """Whether there is a row with something in it; a lone count of nothing is no answer."""
    if len(result.rows) == 1 and all(value in (None, 0) for value in result.rows[0]):
        return False
    return any(value is not None for row in result.rows for value in row)
