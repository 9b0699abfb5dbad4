"""Questions about one table: what is listed, counted, averaged, grouped, ordered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from random import Random

from factory_sql.facts import ColumnFacts, Facts, Kind, TableFacts
from factory_sql.speech import LIST, WHAT, asked, columns_of, conditions

AGGREGATES = {
    "AVG": ("average", "mean"), "SUM": ("total",), "MAX": ("maximum", "highest", "largest"),
    "MIN": ("minimum", "lowest", "smallest"),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A question and the SQL that answers it. `ties` gives the keys that order its rows: equal ones would make the
    answer a matter of luck."""

    question: str
    sql: str
    ties: str = ""


Shape = Callable[[Random, Facts], Draft | None]
Ask = Callable[[Random, TableFacts, ColumnFacts], Draft | None]


def pick_table(draw: Random, facts: Facts) -> TableFacts:
    """A table, one with more to ask about more often."""
    tables = list(facts.tables.values())
    return draw.choices(tables, [1 + len(table.of("category", "number", "date", "name")) for table in tables])[0]


def pick_shown(draw: Random, table: TableFacts, most: int = 2) -> list[ColumnFacts]:
    """Columns worth showing, names before all."""
    names, others = table.of("name"), table.of("category", "number", "date", "other")
    pool = names * 2 + others or list(table.columns)
    count = draw.choice((1, 1, 2)) if most > 1 else 1
    chosen = dict.fromkeys(draw.sample(pool, min(count, len(pool))))
    return list(chosen)


def listed(columns: list[ColumnFacts]) -> str:
    """Columns as a SELECT lists them."""
    return ", ".join(column.sql for column in columns)


def filtered(draw: Random, table: TableFacts, share: float) -> tuple[str, str]:
    """` WHERE …` and the rows in words; without a condition, nothing and all rows."""
    found = conditions(draw, table) if draw.random() < share else None
    return (f" WHERE {found.sql}", f"{table.many} {found.text}") if found else ("", table.many)


def over(*kinds: Kind) -> Callable[[Ask], Shape]:
    """Makes a shape of what is asked about one column of these kinds; a table without one has no such question."""

    def shape(ask: Ask) -> Shape:
        @wraps(ask)
        def drafted(draw: Random, facts: Facts) -> Draft | None:
            table = pick_table(draw, facts)
            pool = table.of(*kinds)
            return ask(draw, table, draw.choice(pool)) if pool else None

        return drafted

    return shape


def rows(draw: Random, facts: Facts) -> Draft | None:
    """Columns of the rows under a condition."""
    table = pick_table(draw, facts)
    shown = pick_shown(draw, table)
    where, said = filtered(draw, table, 0.85)
    return Draft(asked(draw, columns_of(draw, shown, said)), f"SELECT {listed(shown)} FROM {table.sql}{where}")


@over("category")
def distinct(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """The different values of a column."""
    where, said = filtered(draw, table, 0.5)
    word = draw.choice(("different", "distinct", "unique"))
    return Draft(asked(draw, f"the {word} {column.many} of {said}"),
                 f"SELECT DISTINCT {column.sql} FROM {table.sql}{where}")


def count(draw: Random, facts: Facts) -> Draft | None:
    """How many rows there are."""
    table = pick_table(draw, facts)
    where, said = filtered(draw, table, 0.9)
    forms = [f"How many {said} are there?", f"Count the {said}.", asked(draw, f"the number of {said}", WHAT)]
    return Draft(draw.choice(forms), f"SELECT COUNT(*) FROM {table.sql}{where}")


@over("category")
def count_distinct(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """How many different values there are."""
    where, said = filtered(draw, table, 0.4)
    forms = (f"How many different {column.many} do {said} have?", f"Count the distinct {column.many} of {said}.")
    return Draft(draw.choice(forms), f"SELECT COUNT(DISTINCT {column.sql}) FROM {table.sql}{where}")


@over("number")
def aggregate(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """The average, sum or end of a number."""
    name = draw.choice(list(AGGREGATES))
    where, said = filtered(draw, table, 0.7)
    what = f"the {draw.choice(AGGREGATES[name])} {column.one} of {said}"
    return Draft(asked(draw, what, WHAT), f"SELECT {name}({column.sql}) FROM {table.sql}{where}")


@over("number", "date")
def extremes(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """Both ends of a number or a date."""
    where, said = filtered(draw, table, 0.5)
    ends = draw.choice((("minimum", "maximum"), ("lowest", "highest")))
    first, last = ("earliest", "latest") if column.kind == "date" else ends
    return Draft(asked(draw, f"the {first} and {last} {column.one} of {said}"),
                 f"SELECT MIN({column.sql}), MAX({column.sql}) FROM {table.sql}{where}")


@over("category")
def group_count(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """How many rows for each value of a column."""
    where, said = filtered(draw, table, 0.4)
    forms = (f"For each {column.one}, how many {said} are there?", f"How many {said} are there for each {column.one}?",
             f"Show each {column.one} and the number of {said}.", f"Count the {said} by {column.one}.")
    return Draft(draw.choice(forms), f"SELECT {column.sql}, COUNT(*) FROM {table.sql}{where} GROUP BY {column.sql}")


def group_aggregate(draw: Random, facts: Facts) -> Draft | None:
    """What of a number for each value of a column."""
    table = pick_table(draw, facts)
    by, numbers = table.of("category"), table.of("number")
    if not by or not numbers:
        return None
    column, number, name = draw.choice(by), draw.choice(numbers), draw.choice(list(AGGREGATES))
    where, said = filtered(draw, table, 0.3)
    what = f"the {draw.choice(AGGREGATES[name])} {number.one} of {said}"
    forms = (f"For each {column.one}, what is {what}?", f"Show each {column.one} and {what}.",
             f"What is {what} for each {column.one}?")
    return Draft(draw.choice(forms),
                 f"SELECT {column.sql}, {name}({number.sql}) FROM {table.sql}{where} GROUP BY {column.sql}")


@over("category")
def having(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """Values that more or fewer rows have."""
    usual = max(1, table.rows // column.distinct)
    least = draw.choice((max(1, usual // 2), usual, usual + max(1, usual // 3)))
    sign, word = draw.choice(((">", "more than"), (">=", "at least"), ("<", "fewer than")))
    forms = (f"Which {column.many} have {word} {least} {table.many}?",
             f"List the {column.many} with {word} {least} {table.many}.")
    return Draft(draw.choice(forms),
                 f"SELECT {column.sql} FROM {table.sql} GROUP BY {column.sql} HAVING COUNT(*) {sign} {least}")


def superlative(draw: Random, column: ColumnFacts) -> tuple[str, str]:
    """` DESC` or nothing, and the word for the first row in that order."""
    if column.kind == "date":
        return draw.choice(((" DESC", "latest"), ("", "earliest")))
    return draw.choice(((" DESC", draw.choice(("highest", "largest"))), ("", draw.choice(("lowest", "smallest")))))


@over("number", "date")
def top(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """The first row, or the first few, by a number or a date."""
    most = draw.choice((1, 1, 3, 5, 10))
    shown = [each for each in pick_shown(draw, table) if each != column]
    if not shown:
        return None
    where, said = filtered(draw, table, 0.35)
    way, word = superlative(draw, column)
    noun = said.replace(table.many, f"{most} {table.many}" if most > 1 else table.one, 1)
    one = [each.one if most == 1 else each.many for each in shown]
    what = f"the {' and '.join(one)} of the {noun} with the {word} {column.one}"
    tail = f" FROM {table.sql}{where} ORDER BY {column.sql}{way} LIMIT "
    return Draft(asked(draw, what, WHAT if most == 1 else LIST), f"SELECT {listed(shown)}{tail}{most}",
                 f"SELECT {column.sql}{tail}{most + 1}")


@over("category")
def top_group(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """The value that most rows have, or fewest."""
    where, said = filtered(draw, table, 0.5)
    way, word = draw.choice(((" DESC", "most"), ("", "fewest")))
    forms = (f"Which {column.one} has the {word} {said}?", f"Find the {column.one} with the {word} {said}.")
    tail = f" FROM {table.sql}{where} GROUP BY {column.sql} ORDER BY COUNT(*){way} LIMIT "
    return Draft(draw.choice(forms), f"SELECT {column.sql}{tail}1", f"SELECT COUNT(*){tail}2")


@over("number", "date", "name")
def in_order(draw: Random, table: TableFacts, column: ColumnFacts) -> Draft | None:
    """Rows in an order."""
    shown = pick_shown(draw, table)
    where, said = filtered(draw, table, 0.6)
    way, word = draw.choice((("", "ascending"), (" DESC", "descending")))
    plain = ["sorted by", "ordered by"] if not way else []
    how = draw.choice([*[f"{start} {column.one}" for start in plain],
                       f"in {word} order of {column.one}", f"sorted by {column.one} in {word} order"])
    tail = f" FROM {table.sql}{where} ORDER BY {column.sql}{way}"
    return Draft(asked(draw, f"{columns_of(draw, shown, said)}, {how}"), f"SELECT {listed(shown)}{tail}",
                 f"SELECT {column.sql}{tail}")
