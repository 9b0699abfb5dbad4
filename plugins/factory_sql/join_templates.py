"""Question templates over two or three tables: joins along keys, nested queries, and set operations."""

from __future__ import annotations

from random import Random

from factory_sql.db_profile import DatabaseProfile, ForeignKeyLink, TableProfile
from factory_sql.query_templates import (
    AGGREGATE_WORDS,
    QuestionDraft,
    draw_superlative,
    draw_where_clause,
    pick_output_columns,
    pick_profile_table,
    render_column_list,
)
from factory_sql.verbalise import VALUE_OPENERS, draw_condition, phrase_columns, phrase_request


def pick_foreign_key_link(draw: Random, profile: DatabaseProfile) -> ForeignKeyLink | None:
    """Draw a join, preferring parents with a column to name them by."""
    if not profile.links:
        return None
    weights = [1 + 3 * bool(link.parent.get_columns_of_kind("name", "category")) for link in profile.links]
    return draw.choices(profile.links, weights)[0]


def draw_join_path(draw: Random, profile: DatabaseProfile) -> tuple[str, TableProfile, str] | None:
    """Join a child to a parent, or to its parent's parent, under a condition on the last of them.

    Returns FROM and WHERE, the child table, and the rows in English.
    """
    link = pick_foreign_key_link(draw, profile)
    if link is None:
        return None
    up = [hop for hop in profile.links if hop.child == link.parent and hop.parent != link.child]
    path = [link, draw.choice(up)] if up and draw.random() < 0.3 else [link]
    last = draw_condition(draw, path[-1].parent)
    if last is None:
        return None
    source = f" FROM {link.child.sql}" + "".join(f" JOIN {hop.parent.sql} ON {hop.join_condition}" for hop in path)
    # "orders whose customer's city is Oslo": the role is needed where several keys lead to the same table.
    if len(path) == 1 and last.text.startswith("whose ") and (not link.is_only_key or draw.random() < 0.25):
        phrase = f"{link.child.plural_noun} whose {link.role}'s {last.text.removeprefix('whose ')}"
        return f"{source} WHERE {last.sql}", link.child, phrase
    own, rows = draw_where_clause(draw, link.child, 0.2, max_terms=1)
    where = f"{own} AND {last.sql}" if own else f" WHERE {last.sql}"
    return source + where, link.child, f"{' of '.join([rows, *(hop.parent.plural_noun for hop in path)])} {last.text}"


def draft_join_rows(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for columns of rows under a condition on a joined table."""
    path = draw_join_path(draw, profile)
    if path is None:
        return None
    source, table, phrase = path
    columns = pick_output_columns(draw, table)
    question = phrase_request(draw, phrase_columns(draw, columns, phrase))
    return QuestionDraft(question, f"SELECT {render_column_list(columns)}{source}")


def draft_join_count(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for the number of such rows."""
    path = draw_join_path(draw, profile)
    if path is None:
        return None
    source, _, phrase = path
    forms = (f"How many {phrase} are there?", f"Count the {phrase}.", f"What is the number of {phrase}?")
    return QuestionDraft(draw.choice(forms), f"SELECT COUNT(*){source}")


def draft_join_aggregate(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for an aggregate of a number over such rows."""
    path = draw_join_path(draw, profile)
    if path is None or not path[1].get_columns_of_kind("number"):
        return None
    source, table, phrase = path
    column, name = draw.choice(table.get_columns_of_kind("number")), draw.choice(list(AGGREGATE_WORDS))
    what = f"the {draw.choice(AGGREGATE_WORDS[name])} {column.singular_noun} of {phrase}"
    return QuestionDraft(phrase_request(draw, what, VALUE_OPENERS), f"SELECT {name}({column.sql}){source}")


def draft_join_columns(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for a column of each side: `the order date of each order and the name of its customer`."""
    link = pick_foreign_key_link(draw, profile)
    if link is None or not link.parent.get_columns_of_kind("name", "category"):
        return None
    (own,) = pick_output_columns(draw, link.child, 1)
    other = draw.choice(link.parent.get_columns_of_kind("name", "category"))
    where, rows = draw_where_clause(draw, link.child, 0.7, max_terms=1)
    rows = rows if where else f"all {rows}"
    forms = (f"the {own.singular_noun} and the {link.role} {other.singular_noun} of {rows}",
             f"the {own.singular_noun} and the {other.singular_noun} of the {link.role} of {rows}")
    source = f"FROM {link.child.sql} JOIN {link.parent.sql} ON {link.join_condition}"
    return QuestionDraft(phrase_request(draw, draw.choice(forms)), f"SELECT {own.sql}, {other.sql} {source}{where}")


def _render_parent_join(link: ForeignKeyLink) -> str:
    keys = f'{link.parent.sql}."{link.parent_column}" = {link.child.sql}."{link.child_column}"'
    return f"FROM {link.parent.sql} JOIN {link.child.sql} ON {keys}"


def draft_join_group(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for the number of children, or an aggregate of theirs, per value of a parent's column."""
    link = pick_foreign_key_link(draw, profile)
    if link is None or not link.is_only_key or not link.parent.get_columns_of_kind("category", "name"):
        return None
    by = draw.choice(link.parent.get_columns_of_kind("category", "name"))
    numbers = link.child.get_columns_of_kind("number")
    of = f"{link.parent.singular_noun} {by.singular_noun}"
    if numbers and draw.random() < 0.4:
        number, name = draw.choice(numbers), draw.choice(list(AGGREGATE_WORDS))
        what = f"the {draw.choice(AGGREGATE_WORDS[name])} {number.singular_noun} of {link.child.plural_noun}"
        forms = (f"For each {of}, what is {what}?", f"Show each {of} and {what}.")
        value = f"{name}({number.sql})"
    else:
        forms = (f"For each {of}, how many {link.child.plural_noun} are there?",
                 f"Show each {of} and the number of {link.child.plural_noun}.")
        value = "COUNT(*)"
    return QuestionDraft(draw.choice(forms), f"SELECT {by.sql}, {value} {_render_parent_join(link)} GROUP BY {by.sql}")


def draft_join_having(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for parents with more than some number of children."""
    link = pick_foreign_key_link(draw, profile)
    if link is None or not link.is_only_key or not link.parent.get_columns_of_kind("name", "category"):
        return None
    by = draw.choice(link.parent.get_columns_of_kind("name") or link.parent.get_columns_of_kind("category"))
    limit = max(1, round(link.child.row_count / by.distinct_count * draw.choice((0.7, 1, 1.4))))
    word, sign = draw.choice((("more than", ">"), ("at least", ">=")))
    forms = (f"Which {link.parent.singular_noun} {by.plural_noun} have {word} {limit} {link.child.plural_noun}?",
             f"List the {link.parent.singular_noun} {by.plural_noun} with {word} {limit} {link.child.plural_noun}.")
    grouped = f"{_render_parent_join(link)} GROUP BY {by.sql}"
    return QuestionDraft(draw.choice(forms), f"SELECT {by.sql} {grouped} HAVING COUNT(*) {sign} {limit}")


def draft_join_top(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for the parent with the most or fewest children."""
    link = pick_foreign_key_link(draw, profile)
    if link is None or not link.is_only_key or not link.parent.get_columns_of_kind("name", "category"):
        return None
    by = draw.choice(link.parent.get_columns_of_kind("name", "category"))
    direction, word = draw.choice(((" DESC", "most"), ("", "fewest")))
    where, rows = draw_where_clause(draw, link.child, 0.5, max_terms=1)
    forms = (f"Which {link.parent.singular_noun} {by.singular_noun} has the {word} {rows}?",
             f"Find the {link.parent.singular_noun} {by.singular_noun} with the {word} {rows}.")
    tail = f" {_render_parent_join(link)}{where} GROUP BY {by.sql} ORDER BY COUNT(*){direction} LIMIT "
    return QuestionDraft(draw.choice(forms), f"SELECT {by.sql}{tail}1", f"SELECT COUNT(*){tail}2")


def draft_against_average(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for rows above or below the average."""
    table = pick_profile_table(draw, profile)
    if not table.get_columns_of_kind("number"):
        return None
    number, columns = draw.choice(table.get_columns_of_kind("number")), pick_output_columns(draw, table)
    sign, word = draw.choice(((">", "above"), ("<", "below")))
    phrase = f"{table.plural_noun} whose {number.singular_noun} is {word} the average"
    where = f"WHERE {number.sql} {sign} (SELECT AVG({number.sql}) FROM {table.sql})"
    question = phrase_request(draw, phrase_columns(draw, columns, phrase))
    return QuestionDraft(question, f"SELECT {render_column_list(columns)} FROM {table.sql} {where}")


def draft_at_extreme(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for all rows at the maximum or minimum, ties included."""
    table = pick_profile_table(draw, profile)
    if not table.get_columns_of_kind("number", "date"):
        return None
    column, columns = draw.choice(table.get_columns_of_kind("number", "date")), pick_output_columns(draw, table)
    direction, word = draw_superlative(draw, column)
    where = f"WHERE {column.sql} = (SELECT {'MAX' if direction else 'MIN'}({column.sql}) FROM {table.sql})"
    phrase = f"all {table.plural_noun} that have the {word} {column.singular_noun}"
    question = phrase_request(draw, phrase_columns(draw, columns, phrase))
    return QuestionDraft(question, f"SELECT {render_column_list(columns)} FROM {table.sql} {where}")


def draft_without_children(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for parents without children, or without children of some kind."""
    link = pick_foreign_key_link(draw, profile)
    if link is None or not link.is_only_key:
        return None
    where, children = draw_where_clause(draw, link.child, 0.6, max_terms=1)
    phrase = f"{link.parent.plural_noun} {draw.choice(('that have no', 'without any'))} {children}"
    return _draft_membership(draw, link, phrase, "NOT IN", where)


def draft_with_children(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for parents with children of some kind."""
    link = pick_foreign_key_link(draw, profile)
    condition = draw_condition(draw, link.child) if link else None
    if link is None or not link.is_only_key or condition is None:
        return None
    phrase = f"{link.parent.plural_noun} that have {link.child.plural_noun} {condition.text}"
    return _draft_membership(draw, link, phrase, "IN", f" WHERE {condition.sql}")


def _draft_membership(draw: Random, link: ForeignKeyLink, phrase: str, sign: str, where: str) -> QuestionDraft:
    columns = pick_output_columns(draw, link.parent)
    children = f'SELECT {link.child.sql}."{link.child_column}" FROM {link.child.sql}{where}'
    source = f'FROM {link.parent.sql} WHERE {link.parent.sql}."{link.parent_column}" {sign} ({children})'
    if draw.random() < 0.3:
        return QuestionDraft(f"How many {phrase} are there?", f"SELECT COUNT(*) {source}")
    question = phrase_request(draw, phrase_columns(draw, columns, phrase))
    return QuestionDraft(question, f"SELECT {render_column_list(columns)} {source}")


def draft_set_operation(draw: Random, profile: DatabaseProfile) -> QuestionDraft | None:
    """Draft a question for values that two conditions share, or that only the first one has."""
    table = pick_profile_table(draw, profile)
    pool = table.get_columns_of_kind("category")
    if not pool:
        return None
    column = draw.choice(pool)
    first, second = draw_condition(draw, table), draw_condition(draw, table)
    if first is None or second is None or first.sql == second.sql or column.sql in first.sql + second.sql:
        return None
    # Two ranges of one column would overlap or exclude each other; two equalities make a natural question.
    if first.sql.split(" ")[0] == second.sql.split(" ")[0] and " = " not in first.sql:
        return None
    sign, word = draw.choice((("INTERSECT", "both"), ("EXCEPT", "but not")))
    left, right = f"{table.plural_noun} {first.text}", f"{table.plural_noun} {second.text}"
    rows = f"both {left} and {right}" if word == "both" else f"{left} but not of {right}"
    part = f"SELECT {column.sql} FROM {table.sql} WHERE"
    question = phrase_request(draw, f"the {column.plural_noun} of {rows}")
    return QuestionDraft(question, f"{part} {first.sql} {sign} {part} {second.sql}")
