"""Question templates over one table: lists, counts, aggregates, groups, and orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from random import Random

from factory_sql.db_profile import ColumnKind, ColumnProfile, DatabaseProfile, TableProfile
from factory_sql.verbalise import LIST_OPENERS, VALUE_OPENERS, draw_compound_condition, phrase_columns, phrase_request

AGGREGATE_WORDS = {
    "AVG": ("average", "mean"), "SUM": ("total",), "MAX": ("maximum", "highest", "largest"),
    "MIN": ("minimum", "lowest", "smallest"),
}


@dataclass(frozen=True, slots=True)
class QuestionDraft:
    """A question with its SQL. `tie_check_sql` returns the sort keys of its rows; equal keys leave the answer open."""

    question: str
    sql: str
    tie_check_sql: str = ""


QueryTemplate = Callable[[Random, DatabaseProfile], QuestionDraft | None]
ColumnQueryTemplate = Callable[[Random, TableProfile, ColumnProfile], QuestionDraft | None]


def pick_profile_table(draw: Random, profile: DatabaseProfile) -> TableProfile:
    """Draw a table, preferring those with more columns to ask about."""
    tables = list(profile.tables.values())
    kinds: tuple[ColumnKind, ...] = ("category", "number", "date", "name")
    return draw.choices(tables, [1 + len(table.get_columns_of_kind(*kinds)) for table in tables])[0]


def pick_output_columns(draw: Random, table: TableProfile, max_columns: int = 2) -> list[ColumnProfile]:
    """Draw columns to show, preferring names."""
    names, others = table.get_columns_of_kind("name"), table.get_columns_of_kind("category", "number", "date", "other")
    pool = names * 2 + others or list(table.columns)
    count = draw.choice((1, 1, 2)) if max_columns > 1 else 1
    return list(dict.fromkeys(draw.sample(pool, min(count, len(pool)))))


def render_column_list(columns: list[ColumnProfile]) -> str:
    """Render columns as the list of a SELECT."""
    return ", ".join(column.sql for column in columns)


def draw_where_clause(draw: Random, table: TableProfile, share: float, max_terms: int = 2) -> tuple[str, str]:
    """Draw ` WHERE …` and the rows in English; with probability 1 - `share`, no condition and all rows."""
    condition = draw_compound_condition(draw, table, max_terms) if draw.random() < share else None
    if condition is None:
        return "", table.plural_noun
    return f" WHERE {condition.sql}", f"{table.plural_noun} {condition.text}"


def require_column_kind(*kinds: ColumnKind) -> Callable[[ColumnQueryTemplate], QueryTemplate]:
    """Decorate a template over one column of these kinds; it drafts nothing for a table without such a column."""

    def decorate(template: ColumnQueryTemplate) -> QueryTemplate:
        @wraps(template)
        def draft_for_column(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
            table = pick_profile_table(draw, profile)
            pool = table.get_columns_of_kind(*kinds)
            return template(draw, table, draw.choice(pool)) if pool else None

        return draft_for_column

    return decorate


def draft_rows(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for columns of the rows under a condition."""
    table = pick_profile_table(draw, profile)
    columns = pick_output_columns(draw, table)
    where, phrase = draw_where_clause(draw, table, 0.85)
    question = phrase_request(draw, phrase_columns(draw, columns, phrase))
    return QuestionDraft(question, f"SELECT {render_column_list(columns)} FROM {table.sql}{where}")


@require_column_kind("category")
def draft_distinct_values(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for the distinct values of a column."""
    where, phrase = draw_where_clause(draw, table, 0.5)
    word = draw.choice(("different", "distinct", "unique"))
    question = phrase_request(draw, f"the {word} {column.plural_noun} of {phrase}")
    return QuestionDraft(question, f"SELECT DISTINCT {column.sql} FROM {table.sql}{where}")


def draft_count(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for the number of rows."""
    table = pick_profile_table(draw, profile)
    where, phrase = draw_where_clause(draw, table, 0.9)
    request = phrase_request(draw, f"the number of {phrase}", VALUE_OPENERS)
    forms = [f"How many {phrase} are there?", f"Count the {phrase}.", request]
    return QuestionDraft(draw.choice(forms), f"SELECT COUNT(*) FROM {table.sql}{where}")


@require_column_kind("category")
def draft_distinct_count(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for the number of distinct values."""
    where, phrase = draw_where_clause(draw, table, 0.4)
    forms = (f"How many different {column.plural_noun} do {phrase} have?",
             f"Count the distinct {column.plural_noun} of {phrase}.")
    return QuestionDraft(draw.choice(forms), f"SELECT COUNT(DISTINCT {column.sql}) FROM {table.sql}{where}")


@require_column_kind("number")
def draft_aggregate(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for an aggregate of a number."""
    name = draw.choice(list(AGGREGATE_WORDS))
    where, phrase = draw_where_clause(draw, table, 0.7)
    what = f"the {draw.choice(AGGREGATE_WORDS[name])} {column.singular_noun} of {phrase}"
    question = phrase_request(draw, what, VALUE_OPENERS)
    return QuestionDraft(question, f"SELECT {name}({column.sql}) FROM {table.sql}{where}")


@require_column_kind("number", "date")
def draft_extremes(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for the minimum and maximum of a number or date."""
    where, phrase = draw_where_clause(draw, table, 0.5)
    ends = draw.choice((("minimum", "maximum"), ("lowest", "highest")))
    first, last = ("earliest", "latest") if column.kind == "date" else ends
    question = phrase_request(draw, f"the {first} and {last} {column.singular_noun} of {phrase}")
    return QuestionDraft(question, f"SELECT MIN({column.sql}), MAX({column.sql}) FROM {table.sql}{where}")


@require_column_kind("category")
def draft_group_count(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for the number of rows per value of a column."""
    where, phrase = draw_where_clause(draw, table, 0.4)
    noun = column.singular_noun
    forms = (f"For each {noun}, how many {phrase} are there?", f"How many {phrase} are there for each {noun}?",
             f"Show each {noun} and the number of {phrase}.", f"Count the {phrase} by {noun}.")
    sql = f"SELECT {column.sql}, COUNT(*) FROM {table.sql}{where} GROUP BY {column.sql}"
    return QuestionDraft(draw.choice(forms), sql)


def draft_group_aggregate(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for an aggregate of a number per value of a column."""
    table = pick_profile_table(draw, profile)
    by, numbers = table.get_columns_of_kind("category"), table.get_columns_of_kind("number")
    if not by or not numbers:
        return None
    column, number, name = draw.choice(by), draw.choice(numbers), draw.choice(list(AGGREGATE_WORDS))
    where, phrase = draw_where_clause(draw, table, 0.3)
    what = f"the {draw.choice(AGGREGATE_WORDS[name])} {number.singular_noun} of {phrase}"
    forms = (f"For each {column.singular_noun}, what is {what}?", f"Show each {column.singular_noun} and {what}.",
             f"What is {what} for each {column.singular_noun}?")
    sql = f"SELECT {column.sql}, {name}({number.sql}) FROM {table.sql}{where} GROUP BY {column.sql}"
    return QuestionDraft(draw.choice(forms), sql)


@require_column_kind("category")
def draft_having(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for values with more or fewer rows than a limit."""
    usual = max(1, table.row_count // column.distinct_count)
    limit = draw.choice((max(1, usual // 2), usual, usual + max(1, usual // 3)))
    sign, word = draw.choice(((">", "more than"), (">=", "at least"), ("<", "fewer than")))
    forms = (f"Which {column.plural_noun} have {word} {limit} {table.plural_noun}?",
             f"List the {column.plural_noun} with {word} {limit} {table.plural_noun}.")
    sql = f"SELECT {column.sql} FROM {table.sql} GROUP BY {column.sql} HAVING COUNT(*) {sign} {limit}"
    return QuestionDraft(draw.choice(forms), sql)


def draw_superlative(draw: Random, column: ColumnProfile) -> tuple[str, str]:
    """Draw ` DESC` or nothing, and the word for the first row in that order."""
    if column.kind == "date":
        return draw.choice(((" DESC", "latest"), ("", "earliest")))
    return draw.choice(((" DESC", draw.choice(("highest", "largest"))), ("", draw.choice(("lowest", "smallest")))))


@require_column_kind("number", "date")
def draft_top_rows(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for the first row, or the first few, ordered by a number or date."""
    limit = draw.choice((1, 1, 3, 5, 10))
    columns = [other for other in pick_output_columns(draw, table) if other != column]
    if not columns:
        return None
    where, phrase = draw_where_clause(draw, table, 0.35)
    direction, word = draw_superlative(draw, column)
    rows = f"{limit} {table.plural_noun}" if limit > 1 else table.singular_noun
    noun = phrase.replace(table.plural_noun, rows, 1)
    names = [other.singular_noun if limit == 1 else other.plural_noun for other in columns]
    what = f"the {' and '.join(names)} of the {noun} with the {word} {column.singular_noun}"
    tail = f" FROM {table.sql}{where} ORDER BY {column.sql}{direction} LIMIT "
    question = phrase_request(draw, what, VALUE_OPENERS if limit == 1 else LIST_OPENERS)
    # One row more than shown: a tie across the limit would make the answer ambiguous.
    tie_check = f"SELECT {column.sql}{tail}{limit + 1}"
    return QuestionDraft(question, f"SELECT {render_column_list(columns)}{tail}{limit}", tie_check)


@require_column_kind("category")
def draft_top_group(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for the value with the most or fewest rows."""
    where, phrase = draw_where_clause(draw, table, 0.5)
    direction, word = draw.choice(((" DESC", "most"), ("", "fewest")))
    forms = (f"Which {column.singular_noun} has the {word} {phrase}?",
             f"Find the {column.singular_noun} with the {word} {phrase}.")
    tail = f" FROM {table.sql}{where} GROUP BY {column.sql} ORDER BY COUNT(*){direction} LIMIT "
    return QuestionDraft(draw.choice(forms), f"SELECT {column.sql}{tail}1", f"SELECT COUNT(*){tail}2")


@require_column_kind("number", "date", "name")
def draft_sorted_rows(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Draft a question for rows in an order."""
    columns = pick_output_columns(draw, table)
    where, phrase = draw_where_clause(draw, table, 0.6)
    direction, word = draw.choice((("", "ascending"), (" DESC", "descending")))
    noun = column.singular_noun
    orders = [f"in {word} order of {noun}", f"sorted by {noun} in {word} order"]
    order = draw.choice(orders if direction else [f"sorted by {noun}", f"ordered by {noun}", *orders])
    tail = f" FROM {table.sql}{where} ORDER BY {column.sql}{direction}"
    question = phrase_request(draw, f"{phrase_columns(draw, columns, phrase)}, {order}")
    return QuestionDraft(question, f"SELECT {render_column_list(columns)}{tail}", f"SELECT {column.sql}{tail}")
