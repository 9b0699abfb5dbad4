"""The English of the grammar: openers, lists of columns, and conditions with the SQL that they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from factory_sql.facts import ColumnFacts, TableFacts

ABOVE = ("above", "more than", "greater than", "over")
BELOW = ("below", "less than", "under", "smaller than")
LIST = ("List", "Show", "Give", "Find", "What are", "Show me", "Give me", "Return", "Tell me")
WHAT = ("What is", "Show", "Find", "Give me", "Tell me", "Return")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL and in words that follow a noun: `whose city is Berlin`."""

    sql: str
    text: str


def asked(draw: Random, what: str, openers: Sequence[str] = LIST) -> str:
    """A request for something: `List the names of customers.` or `What are the names of customers?`"""
    opener = draw.choice(openers)
    return f"{opener} {what}{'?' if opener.startswith('What') else '.'}"


def columns_of(draw: Random, columns: Sequence[ColumnFacts], rows: str) -> str:
    """`the names and cities of customers`, `the names and cities of all customers`."""
    every = "all " if " " not in rows and draw.random() < 0.4 else ""
    return f"the {_and([column.many for column in columns])} of {every}{rows}"


def a(noun: str) -> str:
    """The noun with its article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def text(value: str) -> str:
    """A string in SQL."""
    return "'" + value.replace("'", "''") + "'"


def literal(value: Any) -> str:
    """A value in SQL."""
    return text(value) if isinstance(value, str) else str(value)


def rounded(value: float) -> float | int:
    """A number as a person would say it: whole from a hundred on, else at most two digits that count."""
    if isinstance(value, int):
        return value
    short = float(f"{value:.2g}") if abs(value) < 100 else round(value)
    return int(short) if short == int(short) else short


def condition(draw: Random, table: TableFacts) -> Condition | None:
    """One condition on a table, by the kinds of its columns; None when it has none to ask about."""
    columns = table.of("category", "category", "number", "date", "name")
    if not columns:
        return None
    weights = [{"category": 4, "number": 3, "date": 2, "name": 1}[column.kind] for column in columns]
    column = draw.choices(columns, weights)[0]
    if column.empty and draw.random() < 0.3:
        return _missing(draw, column)
    makers = {"category": _category, "number": _number, "date": _date, "name": _name}
    return makers[column.kind](draw, column)


def _category(draw: Random, column: ColumnFacts) -> Condition:
    value = draw.choice(column.values)
    roll = draw.random()
    if roll < 0.14 and len(column.values) > 2:
        other = draw.choice([each for each in column.values if each != value])
        return Condition(f"{column.sql} IN ({text(value)}, {text(other)})",
                         f"whose {column.one} is {draw.choice(('', 'either '))}{value} or {other}")
    if roll < 0.26:
        return Condition(f"{column.sql} <> {text(value)}", f"whose {column.one} is not {value}")
    said = (f"whose {column.one} is {value}", f"with {column.one} {value}", f"with the {column.one} {value}")
    return Condition(f"{column.sql} = {text(value)}", draw.choice(said))


def _inner(draw: Random, column: ColumnFacts) -> Any:
    """A value away from the ends, so that a condition on it neither takes all nor nothing."""
    values = column.values
    return values[draw.randrange(len(values) // 6, max(len(values) * 5 // 6, len(values) // 6 + 1))]


def _number(draw: Random, column: ColumnFacts) -> Condition:
    value, roll = rounded(_inner(draw, column)), draw.random()
    if roll < 0.15:
        low, high = sorted((value, rounded(_inner(draw, column))))
        if low != high:
            return Condition(f"{column.sql} BETWEEN {low} AND {high}",
                             f"whose {column.one} is between {low} and {high}")
    if roll < 0.25 and column.distinct < 20:
        return Condition(f"{column.sql} = {value}", f"whose {column.one} is {value}")
    if roll < 0.4:
        return Condition(f"{column.sql} >= {value}", f"whose {column.one} is at least {value}")
    if roll < 0.5:
        return Condition(f"{column.sql} <= {value}", f"whose {column.one} is at most {value}")
    sign, signs = draw.choice(((">", ABOVE), ("<", BELOW)))
    how = draw.choice(signs)
    return Condition(f"{column.sql} {sign} {value}",
                     draw.choice((f"whose {column.one} is {how} {value}", f"with {a(column.one)} {how} {value}")))


def _date(draw: Random, column: ColumnFacts) -> Condition:
    value, roll = str(_inner(draw, column))[:10], draw.random()
    if roll < 0.25:
        low, high = sorted((value, str(_inner(draw, column))[:10]))
        if low != high:
            return Condition(f"{column.sql} BETWEEN '{low}' AND '{high}'",
                             f"whose {column.one} is between {low} and {high}")
    if roll < 0.5:
        year = value[:4]
        return Condition(f"{column.sql} LIKE '{year}%'", f"whose {column.one} is in {year}")
    sign, word = draw.choice(((">", "after"), ("<", "before")))
    return Condition(f"{column.sql} {sign} '{value}'", f"whose {column.one} is {word} {value}")


def _name(draw: Random, column: ColumnFacts) -> Condition:
    value, roll = str(draw.choice(column.values)), draw.random()
    first = value[:1]
    if roll < 0.4 and first.isalpha():
        return Condition(f"{column.sql} LIKE '{first}%'", f"whose {column.one} starts with {first}")
    word = draw.choice(value.split())
    if roll < 0.6 and word.isalnum() and len(word) > 2:
        return Condition(f"{column.sql} LIKE '%{word}%'", f"whose {column.one} contains {word}")
    return Condition(f"{column.sql} = {text(value)}", f"whose {column.one} is {value}")


def _missing(draw: Random, column: ColumnFacts) -> Condition:
    if draw.random() < 0.5:
        return Condition(f"{column.sql} IS NULL", draw.choice((f"without {column.one}", f"that have no {column.one}")))
    return Condition(f"{column.sql} IS NOT NULL", draw.choice((f"that have {a(column.one)}", f"with any {column.one}")))


def conditions(draw: Random, table: TableFacts, most: int = 2) -> Condition | None:
    """One condition, or sometimes two joined by `and` or `or`, on different columns."""
    first = condition(draw, table)
    if first is None or most < 2 or draw.random() < 0.72:
        return first
    second = condition(draw, table)
    if second is None or second.sql.split(" ")[0] == first.sql.split(" ")[0]:
        return first
    if draw.random() < 0.7:
        return Condition(f"{first.sql} AND {second.sql}", f"{first.text} and {second.text}")
    return Condition(f"{first.sql} OR {second.sql}", f"{first.text} or {second.text}")
