"""English of the question grammar: openers, column lists, and conditions with their SQL."""

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
class Condition:
    """A condition in SQL, and in English that follows a noun: `whose city is Berlin`."""

    sql: str
    text: str


def phrase_request(draw: Random, what: str, openers: Sequence[str] = LIST_OPENERS) -> str:
    """Phrase a request: `List the names of customers.` or `What are the names of customers?`"""
    opener = draw.choice(openers)
    return f"{opener} {what}{'?' if opener.startswith('What') else '.'}"


def phrase_columns(draw: Random, columns: Sequence[ColumnProfile], rows: str) -> str:
    """Phrase columns of rows: `the names and cities of customers`, `the names and cities of all customers`."""
    quantifier = "all " if " " not in rows and draw.random() < 0.4 else ""
    names = [column.plural_noun for column in columns]
    listing = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"the {listing} of {quantifier}{rows}"


def add_article(noun: str) -> str:
    """Prefix a noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def quote_sql_string(value: str) -> str:
    """Quote a string for SQL."""
    return "'" + value.replace("'", "''") + "'"


def round_spoken_number(value: float) -> float | int:
    """Round a number as in speech: to an integer from 100 on, to two significant digits below."""
    if isinstance(value, int):
        return value
    short = float(f"{value:.2g}") if abs(value) < 100 else round(value)
    return int(short) if short == int(short) else short


def draw_condition(draw: Random, table: TableProfile) -> Condition | None:
    """Draw a condition on a column of a table; None if it has no suitable column."""
    columns = table.get_columns_of_kind("category", "category", "number", "date", "name")
    if not columns:
        return None
    weights = [{"category": 4, "number": 3, "date": 2, "name": 1}[column.kind] for column in columns]
    column = draw.choices(columns, weights)[0]
    if column.null_count and draw.random() < 0.3:
        return _draw_null_condition(draw, column)
    builders = {
        "category": _draw_category_condition, "number": _draw_number_condition, "date": _draw_date_condition,
        "name": _draw_name_condition,
    }
    return builders[column.kind](draw, column)


def _draw_category_condition(draw: Random, column: ColumnProfile) -> Condition:
    value, noun = draw.choice(column.values), column.singular_noun
    roll, literal = draw.random(), quote_sql_string(value)
    if roll < 0.14 and len(column.values) > 2:
        other = draw.choice([candidate for candidate in column.values if candidate != value])
        phrase = f"whose {noun} is {draw.choice(('', 'either '))}{value} or {other}"
        return Condition(f"{column.sql} IN ({literal}, {quote_sql_string(other)})", phrase)
    if roll < 0.26:
        return Condition(f"{column.sql} <> {literal}", f"whose {noun} is not {value}")
    phrases = (f"whose {noun} is {value}", f"with {noun} {value}", f"with the {noun} {value}")
    return Condition(f"{column.sql} = {literal}", draw.choice(phrases))


def _draw_inner_value(draw: Random, column: ColumnProfile) -> Any:
    """Draw a value from the middle two thirds, so that a comparison selects some rows but not all."""
    values = column.values
    return values[draw.randrange(len(values) // 6, max(len(values) * 5 // 6, len(values) // 6 + 1))]


def _draw_number_condition(draw: Random, column: ColumnProfile) -> Condition:
    value, roll, noun = round_spoken_number(_draw_inner_value(draw, column)), draw.random(), column.singular_noun
    if roll < 0.15:
        low, high = sorted((value, round_spoken_number(_draw_inner_value(draw, column))))
        if low != high:
            return Condition(f"{column.sql} BETWEEN {low} AND {high}", f"whose {noun} is between {low} and {high}")
    if roll < 0.25 and column.distinct_count < 20:
        return Condition(f"{column.sql} = {value}", f"whose {noun} is {value}")
    if roll < 0.4:
        return Condition(f"{column.sql} >= {value}", f"whose {noun} is at least {value}")
    if roll < 0.5:
        return Condition(f"{column.sql} <= {value}", f"whose {noun} is at most {value}")
    sign, words = draw.choice(((">", ABOVE_WORDS), ("<", BELOW_WORDS)))
    word = draw.choice(words)
    phrases = (f"whose {noun} is {word} {value}", f"with {add_article(noun)} {word} {value}")
    return Condition(f"{column.sql} {sign} {value}", draw.choice(phrases))


def _draw_date_condition(draw: Random, column: ColumnProfile) -> Condition:
    value, roll, noun = str(_draw_inner_value(draw, column))[:10], draw.random(), column.singular_noun
    if roll < 0.25:
        low, high = sorted((value, str(_draw_inner_value(draw, column))[:10]))
        if low != high:
            return Condition(f"{column.sql} BETWEEN '{low}' AND '{high}'", f"whose {noun} is between {low} and {high}")
    if roll < 0.5:
        return Condition(f"{column.sql} LIKE '{value[:4]}%'", f"whose {noun} is in {value[:4]}")
    sign, word = draw.choice(((">", "after"), ("<", "before")))
    return Condition(f"{column.sql} {sign} '{value}'", f"whose {noun} is {word} {value}")


def _draw_name_condition(draw: Random, column: ColumnProfile) -> Condition:
    value, roll, noun = str(draw.choice(column.values)), draw.random(), column.singular_noun
    if roll < 0.4 and value[:1].isalpha():
        return Condition(f"{column.sql} LIKE '{value[:1]}%'", f"whose {noun} starts with {value[:1]}")
    word = draw.choice(value.split())
    if roll < 0.6 and word.isalnum() and len(word) > 2:
        return Condition(f"{column.sql} LIKE '%{word}%'", f"whose {noun} contains {word}")
    return Condition(f"{column.sql} = {quote_sql_string(value)}", f"whose {noun} is {value}")


def _draw_null_condition(draw: Random, column: ColumnProfile) -> Condition:
    noun = column.singular_noun
    if draw.random() < 0.5:
        return Condition(f"{column.sql} IS NULL", draw.choice((f"without {noun}", f"that have no {noun}")))
    phrases = (f"that have {add_article(noun)}", f"with any {noun}")
    return Condition(f"{column.sql} IS NOT NULL", draw.choice(phrases))


def draw_compound_condition(draw: Random, table: TableProfile, max_terms: int = 2) -> Condition | None:
    """Draw one condition, or sometimes two on different columns joined by `and` or `or`."""
    first = draw_condition(draw, table)
    if first is None or max_terms < 2 or draw.random() < 0.72:
        return first
    second = draw_condition(draw, table)
    if second is None or second.sql.split(" ")[0] == first.sql.split(" ")[0]:
        return first
    if draw.random() < 0.7:
        return Condition(f"{first.sql} AND {second.sql}", f"{first.text} and {second.text}")
    return Condition(f"{first.sql} OR {second.sql}", f"{first.text} or {second.text}")
