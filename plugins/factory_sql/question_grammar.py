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

from factory_sql import join_templates, query_templates
from factory_sql.database import QueryRefusedError, QueryResult, SqliteDatabase
from factory_sql.db_profile import DatabaseProfile, profile_database
from factory_sql.query_templates import QueryTemplate, QuestionDraft

COLUMN_PATTERN = re.compile(r'"[^"]+"\."[^"]+"')
TRIES_PER_QUESTION = 30
MAX_ANSWER_ROWS = 300
"""Rows of an answer, at most: a question with more is no question that people ask."""

TEMPLATES_BY_CONSTRUCT: dict[str, tuple[tuple[QueryTemplate, int], ...]] = {
    "simple": ((query_templates.draft_rows, 10), (query_templates.draft_count, 7), (query_templates.draft_aggregate, 5), (query_templates.draft_top_rows, 6), (query_templates.draft_sorted_rows, 4),
               (query_templates.draft_distinct_values, 3), (query_templates.draft_distinct_count, 2), (query_templates.draft_extremes, 2)),
    "group": ((query_templates.draft_group_count, 5), (query_templates.draft_group_aggregate, 4), (query_templates.draft_having, 3), (query_templates.draft_top_group, 4)),
    "join": ((join_templates.draft_join_rows, 6), (join_templates.draft_join_count, 5), (join_templates.draft_join_aggregate, 3), (join_templates.draft_join_columns, 3),
             (join_templates.draft_join_group, 4), (join_templates.draft_join_having, 2), (join_templates.draft_join_top, 4)),
    "nested": ((join_templates.draft_against_average, 3), (join_templates.draft_at_extreme, 2), (join_templates.draft_without_children, 3), (join_templates.draft_with_children, 3),
               (join_templates.draft_set_operation, 2)),
}
CONSTRUCT_SHARES = {"simple": 0.4, "group": 0.2, "join": 0.25, "nested": 0.15}


@dataclass(frozen=True, slots=True)
class QuestionSqlPair:
    """A question, the SQL that answers it, and what kind of statement that is."""

    question: str
    sql: str
    construct: str


@lru_cache(maxsize=256)
def get_database_profile(database: SqliteDatabase) -> DatabaseProfile:
    """What the grammar knows of a database, learnt once a process."""
    return profile_database(database)


def generate_sql_pairs(database: SqliteDatabase, count: int, seed: str, shares: Mapping[str, float] = CONSTRUCT_SHARES) -> Iterator[QuestionSqlPair]:
    """At most `count` pairs, the same ones for the same seed; fewer when the database has no more to ask."""
    draw, facts = Random(seed), get_database_profile(database)
    if not facts.tables:
        return
    kinds, weights = list(shares), list(shares.values())
    seen: set[str] = set()
    asked: set[str] = set()
    made = 0
    for _ in range(count * TRIES_PER_QUESTION):
        if made == count:
            return
        kind = draw.choices(kinds, weights)[0]
        options = TEMPLATES_BY_CONSTRUCT[kind]
        shape = draw.choices([shape for shape, _ in options], [weight for _, weight in options])[0]
        draft = shape(draw, facts)
        pair = _validate_draft(draft, kind, database) if draft else None
        if pair and pair.sql not in seen and pair.question.lower() not in asked:
            seen.add(pair.sql)
            asked.add(pair.question.lower())
            made += 1
            yield pair


def _validate_draft(draft: QuestionDraft, kind: str, database: SqliteDatabase) -> QuestionSqlPair | None:
    """The draft as a pair, when it has an answer that is not a matter of luck."""
    from factory_sql.canonical_sql import canonicalise_sql

    try:
        result = database.run(draft.sql, MAX_ANSWER_ROWS)
        keys = database.run(draft.tie_check_sql, MAX_ANSWER_ROWS).rows if draft.tie_check_sql else ()
    except QueryRefusedError:
        return None
    if result.truncated or not _has_answer_rows(result) or len(set(keys)) < len(keys) or _has_fixed_output_column(draft.sql):
        return None
    return QuestionSqlPair(draft.question[0].upper() + draft.question[1:], canonicalise_sql(draft.sql, database.schema), kind)


def _has_fixed_output_column(sql: str) -> bool:
    """Whether a condition fixes the very column that is asked for."""
    shown, _, rest = sql.removeprefix("SELECT ").removeprefix("DISTINCT ").partition(" FROM ")
    where = rest.partition(" WHERE ")[2]
    return any(f"{column} {sign} " in where for column in COLUMN_PATTERN.findall(shown) for sign in ("=", "IN"))


def _has_answer_rows(result: QueryResult) -> bool:
    """Whether there is a row with something in it; a lone count of nothing is no answer."""
    if len(result.rows) == 1 and all(value in (None, 0) for value in result.rows[0]):
        return False
    return any(value is not None for row in result.rows for value in row)
