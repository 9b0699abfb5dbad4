"""Generate questions with their SQL for any database, from templates.

Every statement is canonical, passes the guard, returns at least one row with a value, and occurs once. A question that
sorts or takes the first rows is kept only if no ties leave its answer open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from factory_sql import join_templates as joined
from factory_sql import query_templates as single
from factory_sql.database import QueryRefusedError, SqliteDatabase
from factory_sql.db_profile import profile_database
from factory_sql.query_results import has_answer_values
from factory_sql.query_templates import QueryTemplate, QuestionDraft

COLUMN_PATTERN = re.compile(r'"[^"]+"\."[^"]+"')
TRIES_PER_QUESTION = 30
MAX_ANSWER_ROWS = 300
"""Maximum number of rows of an answer: questions with longer answers are not natural."""

TEMPLATES_BY_CONSTRUCT: dict[str, tuple[tuple[QueryTemplate, int], ...]] = {
    "simple": ((single.draft_rows, 10), (single.draft_count, 7), (single.draft_aggregate, 5),
               (single.draft_top_rows, 6), (single.draft_sorted_rows, 4), (single.draft_distinct_values, 3),
               (single.draft_distinct_count, 2), (single.draft_extremes, 2)),
    "group": ((single.draft_group_count, 5), (single.draft_group_aggregate, 4), (single.draft_having, 3),
              (single.draft_top_group, 4)),
    "join": ((joined.draft_join_rows, 6), (joined.draft_join_count, 5), (joined.draft_join_aggregate, 3),
             (joined.draft_join_columns, 3), (joined.draft_join_group, 4), (joined.draft_join_having, 2),
             (joined.draft_join_top, 4)),
    "nested": ((joined.draft_against_average, 3), (joined.draft_at_extreme, 2), (joined.draft_without_children, 3),
               (joined.draft_with_children, 3), (joined.draft_set_operation, 2)),
}
CONSTRUCT_SHARES = {"simple": 0.4, "group": 0.2, "join": 0.25, "nested": 0.15}


@dataclass(frozen=True, slots=True)
class QuestionSqlPair:
    """A question, its SQL, and the construct of the statement."""

    question: str
    sql: str
    construct: str


def generate_sql_pairs(
    database: SqliteDatabase, count: int, seed: str, shares: Mapping[str, float] = CONSTRUCT_SHARES
) -> Iterator[QuestionSqlPair]:
    """Yield up to `count` pairs, the same for the same seed; fewer if the database has no more questions."""
    draw, profile = Random(seed), profile_database(database)
    if not profile.tables:
        return
    constructs, weights = list(shares), list(shares.values())
    statements: set[str] = set()
    questions: set[str] = set()
    for _ in range(count * TRIES_PER_QUESTION):
        if len(statements) == count:
            return
        construct = draw.choices(constructs, weights)[0]
        options = TEMPLATES_BY_CONSTRUCT[construct]
        template = draw.choices([template for template, _ in options], [weight for _, weight in options])[0]
        draft = template(draw, profile)
        pair = _validate_draft(draft, construct, database) if draft else None
        if pair and pair.sql not in statements and pair.question.lower() not in questions:
            statements.add(pair.sql)
            questions.add(pair.question.lower())
            yield pair


def _validate_draft(draft: QuestionDraft, construct: str, database: SqliteDatabase) -> QuestionSqlPair | None:
    """Turn a draft into a pair if it has exactly one answer."""
    from factory_sql.canonical_sql import canonicalise_sql

    try:
        result = database.run(draft.sql, MAX_ANSWER_ROWS)
        keys = database.run(draft.tie_check_sql, MAX_ANSWER_ROWS).rows if draft.tie_check_sql else ()
    except QueryRefusedError:
        return None
    has_ties = len(set(keys)) < len(keys)
    if result.truncated or has_ties or not has_answer_values(result) or _has_fixed_output_column(draft.sql):
        return None
    question = draft.question[0].upper() + draft.question[1:]
    return QuestionSqlPair(question, canonicalise_sql(draft.sql, database.schema), construct)


def _has_fixed_output_column(sql: str) -> bool:
    """Whether a condition fixes the value of an output column."""
    columns, _, rest = sql.partition(" FROM ")
    where = rest.partition(" WHERE ")[2]
    return any(f"{column} {sign} " in where for column in COLUMN_PATTERN.findall(columns) for sign in ("=", "IN"))
