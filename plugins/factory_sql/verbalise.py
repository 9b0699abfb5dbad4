"""The English of the grammar: openers, lists of columns, and conditions with the SQL that they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from factory_sql.db_profile import ColumnProfile, TableProfile

ABOVE_WORDS = ("above", "more than", "greater than", "over")
BELOW_WORDS = ("below", "less than", "under", "smaller than")
LIST_OPENERS = ("List", "Show", "Give", "Find", "What are", "Show me", "Give me", "Return", "Tell me")
VALUE_OPENERS = ("What is", "Show", "Find", "Give me", "Tell me", "Return")


@dataclass(frozen=True, slots=True)
class VerbalisedCondition:
    """A condition in SQL and in words that follow a noun: `whose city is Berlin`."""

    sql: str
    text: str


def phrase_request(draw: Random, what: str, openers: Sequence[str] = LIST_OPENERS) -> str:
    """A request for something: `List the names of customers.` or `What are the names of customers?`"""
    opener = draw.choice(openers)
    return f"{opener} {what}{'?' if opener.startswith('What') else '.'}"


def phrase_columns(draw: Random, columns: Sequence[ColumnProfile], rows: str) -> str:
    """`the names and cities of customers`, `the names and cities of all customers`."""
    every = "all " if " " not in rows and draw.random() < 0.4 else ""
    return f"the {_join_with_and([column.plural_noun for column in columns])} of {every}{rows}"


def add_article(noun: str) -> str:
    """The noun with its article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _join_with_and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def quote_sql_string(value: str) -> str:
    """A string in SQL."""
    return "'" + value.replace("'", "''") + "'"


def render_sql_literal(value: Any) -> str:
    """A value in SQL."""
    return quote_sql_string(value) if isinstance(value, str) else str(value)


def round_spoken_number(value: float) -> float | int:
    """A number as a person would say it: whole from a hundred on, else at most two digits that count."""
    if isinstance(value, int):
        return value
    short = float(f"{value:.2g}") if abs(value) < 100 else round(value)
    return int(short) if short == int(short) else short


def draw_condition(draw: Random, table: TableProfile) -> VerbalisedCondition | None:
    """One condition on a table, by the kinds of its columns; None when it has none to ask about."""
    columns = table.get_columns_of_kind("category", "category", "number", "date", "name")
    if not columns:
        return None
    weights = [{"category": 4, "number": 3, "date": 2, "name": 1}[column.kind] for column in columns]
    column = draw.choices(columns, weights)[0]
    if column.null_count and draw.random() < 0.3:
        return _draw_null_condition(draw, column)
    makers = {"category": _draw_category_condition, "number": _draw_number_condition, "date": _draw_date_condition, "name": _draw_name_condition}
    return makers[column.kind](draw, column)


def _draw_category_condition(draw: Random, column: ColumnProfile) -> VerbalisedCondition:
    value = draw.choice(column.values)
    roll = draw.random()
    if roll < 0.14 and len(column.values) > 2:
        other = draw.choice([each for each in column.values if each != value])
        return VerbalisedCondition(f"{column.sql} IN ({quote_sql_string(value)}, {quote_sql_string(other)})",
                         f"whose {column.singular_noun} is {draw.choice(('', 'either '))}{value} or {other}")
    if roll < 0.26:
        return VerbalisedCondition(f"{column.sql} <> {quote_sql_string(value)}", f"whose {column.singular_noun} is not {value}")
    said = (f"whose {column.singular_noun} is {value}", f"with {column.singular_noun} {value}", f"with the {column.singular_noun} {value}")
    return VerbalisedCondition(f"{column.sql} = {quote_sql_string(value)}", draw.choice(said))


def _draw_inner_value(draw: Random, column: ColumnProfile) -> Any:
    """A value away from the ends, so that a condition on it neither takes all nor nothing."""
    values = column.values
    return values[draw.randrange(len(values) // 6, max(len(values) * 5 // 6, len(values) // 6 + 1))]


def _draw_number_condition(draw: Random, column: ColumnProfile) -> VerbalisedCondition:
    value, roll = round_spoken_number(_draw_inner_value(draw, column)), draw.random()
    if roll < 0.15:
        low, high = sorted((value, round_spoken_number(_draw_inner_value(draw, column))))
        if low != high:
            return VerbalisedCondition(f"{column.sql} BETWEEN {low} AND {high}",
                             f"whose {column.singular_noun} is between {low} and {high}")
    if roll < 0.25 and column.distinct_count < 20:
        return VerbalisedCondition(f"{column.sql} = {value}", f"whose {column.singular_noun} is {value}")
    if roll < 0.4:
        return VerbalisedCondition(f"{column.sql} >= {value}", f"whose {column.singular_noun} is at least {value}")
    if roll < 0.5:
        return VerbalisedCondition(f"{column.sql} <= {value}", f"whose {column.singular_noun} is at most {value}")
    sign, signs = draw.choice(((">", ABOVE_WORDS), ("<", BELOW_WORDS)))
    how = draw.choice(signs)
    return VerbalisedCondition(f"{column.sql} {sign} {value}",
                     draw.choice((f"whose {column.singular_noun} is {how} {value}", f"with {add_article(column.singular_noun)} {how} {value}")))


def _draw_date_condition(draw: Random, column: ColumnProfile) -> VerbalisedCondition:
    value, roll = str(_draw_inner_value(draw, column))[:10], draw.random()
    if roll < 0.25:
        low, high = sorted((value, str(_draw_inner_value(draw, column))[:10]))
        if low != high:
            return VerbalisedCondition(f"{column.sql} BETWEEN '{low}' AND '{high}'",
                             f"whose {column.singular_noun} is between {low} and {high}")
    if roll < 0.5:
        year = value[:4]
        return VerbalisedCondition(f"{column.sql} LIKE '{year}%'", f"whose {column.singular_noun} is in {year}")
    sign, word = draw.choice(((">", "after"), ("<", "before")))
    return VerbalisedCondition(f"{column.sql} {sign} '{value}'", f"whose {column.singular_noun} is {word} {value}")


def _draw_name_condition(draw: Random, column: ColumnProfile) -> VerbalisedCondition:
    value, roll = str(draw.choice(column.values)), draw.random()
    first = value[:1]
    if roll < 0.4 and first.isalpha():
        return VerbalisedCondition(f"{column.sql} LIKE '{first}%'", f"whose {column.singular_noun} starts with {first}")
    word = draw.choice(value.split())
    if roll < 0.6 and word.isalnum() and len(word) > 2:
        return VerbalisedCondition(f"{column.sql} LIKE '%{word}%'", f"whose {column.singular_noun} contains {word}")
    return VerbalisedCondition(f"{column.sql} = {quote_sql_string(value)}", f"whose {column.singular_noun} is {value}")


def _draw_null_condition(draw: Random, column: ColumnProfile) -> VerbalisedCondition:
    if draw.random() < 0.5:
        return VerbalisedCondition(f"{column.sql} IS NULL", draw.choice((f"without {column.singular_noun}", f"that have no {column.singular_noun}")))
    return VerbalisedCondition(f"{column.sql} IS NOT NULL", draw.choice((f"that have {add_article(column.singular_noun)}", f"with any {column.singular_noun}")))


def draw_compound_condition(draw: Random, table: TableProfile, most: int = 2) -> VerbalisedCondition | None:
    """One condition, or sometimes two joined by `and` or `or`, on different columns."""
    first = draw_condition(draw, table)
    if first is None or most < 2 or draw.random() < 0.72:
        return first
    second = draw_condition(draw, table)
    if second is None or second.sql.split(" ")[0] == first.sql.split(" ")[0]:
        return first
    if draw.random() < 0.7:
        return VerbalisedCondition(f"{first.sql} AND {second.sql}", f"{first.text} and {second.text}")
    return VerbalisedCondition(f"{first.sql} OR {second.sql}", f"{first.text} or {second.text}")
