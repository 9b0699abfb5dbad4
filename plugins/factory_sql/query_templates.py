"""Questions about one table: what is listed, counted, averaged, grouped, ordered."""

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
    """A question and the SQL that answers it. `ties` gives the keys that order its rows: equal ones would make the
    answer a matter of luck."""

    question: str
    sql: str
    tie_check_sql: str = ""


QueryTemplate = Callable[[Random, DatabaseProfile], QuestionDraft | None]
ColumnQueryTemplate = Callable[[Random, TableProfile, ColumnProfile], QuestionDraft | None]


def pick_profile_table(draw: Random, facts: DatabaseProfile) -> TableProfile:
    """A table, one with more to ask about more often."""
    tables = list(facts.tables.values())
    return draw.choices(tables, [1 + len(table.get_columns_of_kind("category", "number", "date", "name")) for table in tables])[0]


def pick_output_columns(draw: Random, table: TableProfile, most: int = 2) -> list[ColumnProfile]:
    """Columns worth showing, names before all."""
    names, others = table.get_columns_of_kind("name"), table.get_columns_of_kind("category", "number", "date", "other")
    pool = names * 2 + others or list(table.columns)
    count = draw.choice((1, 1, 2)) if most > 1 else 1
    chosen = dict.fromkeys(draw.sample(pool, min(count, len(pool))))
    return list(chosen)


def render_column_list(columns: list[ColumnProfile]) -> str:
    """Columns as a SELECT lists them."""
    return ", ".join(column.sql for column in columns)


def draw_where_clause(draw: Random, table: TableProfile, share: float) -> tuple[str, str]:
    """` WHERE …` and the rows in words; without a condition, nothing and all rows."""
    found = draw_compound_condition(draw, table) if draw.random() < share else None
    return (f" WHERE {found.sql}", f"{table.plural_noun} {found.text}") if found else ("", table.plural_noun)


def require_column_kind(*kinds: ColumnKind) -> Callable[[ColumnQueryTemplate], QueryTemplate]:
    """Makes a shape of what is asked about one column of these kinds; a table without one has no such question."""

    def shape(ask: ColumnQueryTemplate) -> QueryTemplate:
        @wraps(ask)
        def drafted(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
            table = pick_profile_table(draw, facts)
            pool = table.get_columns_of_kind(*kinds)
            return ask(draw, table, draw.choice(pool)) if pool else None

        return drafted

    return shape


def draft_rows(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """Columns of the rows under a condition."""
    table = pick_profile_table(draw, facts)
    shown = pick_output_columns(draw, table)
    where, said = draw_where_clause(draw, table, 0.85)
    return QuestionDraft(phrase_request(draw, phrase_columns(draw, shown, said)), f"SELECT {render_column_list(shown)} FROM {table.sql}{where}")


@require_column_kind("category")
def draft_distinct_values(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """The different values of a column."""
    where, said = draw_where_clause(draw, table, 0.5)
    word = draw.choice(("different", "distinct", "unique"))
    return QuestionDraft(phrase_request(draw, f"the {word} {column.plural_noun} of {said}"),
                 f"SELECT DISTINCT {column.sql} FROM {table.sql}{where}")


def draft_count(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """How many rows there are."""
    table = pick_profile_table(draw, facts)
    where, said = draw_where_clause(draw, table, 0.9)
    forms = [f"How many {said} are there?", f"Count the {said}.", phrase_request(draw, f"the number of {said}", VALUE_OPENERS)]
    return QuestionDraft(draw.choice(forms), f"SELECT COUNT(*) FROM {table.sql}{where}")


@require_column_kind("category")
def draft_distinct_count(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """How many different values there are."""
    where, said = draw_where_clause(draw, table, 0.4)
    forms = (f"How many different {column.plural_noun} do {said} have?", f"Count the distinct {column.plural_noun} of {said}.")
    return QuestionDraft(draw.choice(forms), f"SELECT COUNT(DISTINCT {column.sql}) FROM {table.sql}{where}")


@require_column_kind("number")
def draft_aggregate(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """The average, sum or end of a number."""
    name = draw.choice(list(AGGREGATE_WORDS))
    where, said = draw_where_clause(draw, table, 0.7)
    what = f"the {draw.choice(AGGREGATE_WORDS[name])} {column.singular_noun} of {said}"
    return QuestionDraft(phrase_request(draw, what, VALUE_OPENERS), f"SELECT {name}({column.sql}) FROM {table.sql}{where}")


@require_column_kind("number", "date")
def draft_extremes(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Both ends of a number or a date."""
    where, said = draw_where_clause(draw, table, 0.5)
    ends = draw.choice((("minimum", "maximum"), ("lowest", "highest")))
    first, last = ("earliest", "latest") if column.kind == "date" else ends
    return QuestionDraft(phrase_request(draw, f"the {first} and {last} {column.singular_noun} of {said}"),
                 f"SELECT MIN({column.sql}), MAX({column.sql}) FROM {table.sql}{where}")


@require_column_kind("category")
def draft_group_count(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """How many rows for each value of a column."""
    where, said = draw_where_clause(draw, table, 0.4)
    forms = (f"For each {column.singular_noun}, how many {said} are there?", f"How many {said} are there for each {column.singular_noun}?",
             f"Show each {column.singular_noun} and the number of {said}.", f"Count the {said} by {column.singular_noun}.")
    return QuestionDraft(draw.choice(forms), f"SELECT {column.sql}, COUNT(*) FROM {table.sql}{where} GROUP BY {column.sql}")


def draft_group_aggregate(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """What of a number for each value of a column."""
    table = pick_profile_table(draw, facts)
    by, numbers = table.get_columns_of_kind("category"), table.get_columns_of_kind("number")
    if not by or not numbers:
        return None
    column, number, name = draw.choice(by), draw.choice(numbers), draw.choice(list(AGGREGATE_WORDS))
    where, said = draw_where_clause(draw, table, 0.3)
    what = f"the {draw.choice(AGGREGATE_WORDS[name])} {number.singular_noun} of {said}"
    forms = (f"For each {column.singular_noun}, what is {what}?", f"Show each {column.singular_noun} and {what}.",
             f"What is {what} for each {column.singular_noun}?")
    return QuestionDraft(draw.choice(forms),
                 f"SELECT {column.sql}, {name}({number.sql}) FROM {table.sql}{where} GROUP BY {column.sql}")


@require_column_kind("category")
def draft_having(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Values that more or fewer rows have."""
    usual = max(1, table.row_count // column.distinct_count)
    least = draw.choice((max(1, usual // 2), usual, usual + max(1, usual // 3)))
    sign, word = draw.choice(((">", "more than"), (">=", "at least"), ("<", "fewer than")))
    forms = (f"Which {column.plural_noun} have {word} {least} {table.plural_noun}?",
             f"List the {column.plural_noun} with {word} {least} {table.plural_noun}.")
    return QuestionDraft(draw.choice(forms),
                 f"SELECT {column.sql} FROM {table.sql} GROUP BY {column.sql} HAVING COUNT(*) {sign} {least}")


def draw_superlative(draw: Random, column: ColumnProfile) -> tuple[str, str]:
    """` DESC` or nothing, and the word for the first row in that order."""
    if column.kind == "date":
        return draw.choice(((" DESC", "latest"), ("", "earliest")))
    return draw.choice(((" DESC", draw.choice(("highest", "largest"))), ("", draw.choice(("lowest", "smallest")))))


@require_column_kind("number", "date")
def draft_top_rows(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """The first row, or the first few, by a number or a date."""
    most = draw.choice((1, 1, 3, 5, 10))
    shown = [each for each in pick_output_columns(draw, table) if each != column]
    if not shown:
        return None
    where, said = draw_where_clause(draw, table, 0.35)
    way, word = draw_superlative(draw, column)
    noun = said.replace(table.plural_noun, f"{most} {table.plural_noun}" if most > 1 else table.singular_noun, 1)
    one = [each.singular_noun if most == 1 else each.plural_noun for each in shown]
    what = f"the {' and '.join(one)} of the {noun} with the {word} {column.singular_noun}"
    tail = f" FROM {table.sql}{where} ORDER BY {column.sql}{way} LIMIT "
    return QuestionDraft(phrase_request(draw, what, VALUE_OPENERS if most == 1 else LIST_OPENERS), f"SELECT {render_column_list(shown)}{tail}{most}",
                 f"SELECT {column.sql}{tail}{most + 1}")


@require_column_kind("category")
def draft_top_group(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """The value that most rows have, or fewest."""
    where, said = draw_where_clause(draw, table, 0.5)
    way, word = draw.choice(((" DESC", "most"), ("", "fewest")))
    forms = (f"Which {column.singular_noun} has the {word} {said}?", f"Find the {column.singular_noun} with the {word} {said}.")
    tail = f" FROM {table.sql}{where} GROUP BY {column.sql} ORDER BY COUNT(*){way} LIMIT "
    return QuestionDraft(draw.choice(forms), f"SELECT {column.sql}{tail}1", f"SELECT COUNT(*){tail}2")


@require_column_kind("number", "date", "name")
def draft_sorted_rows(draw: Random, table: TableProfile, column: ColumnProfile) -> QuestionDraft | None:
    """Rows in an order."""
    shown = pick_output_columns(draw, table)
    where, said = draw_where_clause(draw, table, 0.6)
    way, word = draw.choice((("", "ascending"), (" DESC", "descending")))
    plain = ["sorted by", "ordered by"] if not way else []
    how = draw.choice([*[f"{start} {column.singular_noun}" for start in plain],
                       f"in {word} order of {column.singular_noun}", f"sorted by {column.singular_noun} in {word} order"])
    tail = f" FROM {table.sql}{where} ORDER BY {column.sql}{way}"
    return QuestionDraft(phrase_request(draw, f"{phrase_columns(draw, shown, said)}, {how}"), f"SELECT {render_column_list(shown)}{tail}",
                 f"SELECT {column.sql}{tail}")
