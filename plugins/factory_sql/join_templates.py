"""Questions about two or three tables: joined along their keys, nested, and joined as sets."""

from __future__ import annotations

from random import Random

from factory_sql.db_profile import DatabaseProfile, ForeignKeyLink, TableProfile
from factory_sql.query_templates import (
    AGGREGATE_WORDS,
    QuestionDraft,
    draw_superlative,
    pick_output_columns,
    pick_profile_table,
    render_column_list,
)
from factory_sql.verbalise import (
    LIST_OPENERS,
    VALUE_OPENERS,
    draw_compound_condition,
    draw_condition,
    phrase_columns,
    phrase_request,
)


def pick_foreign_key_link(draw: Random, facts: DatabaseProfile) -> ForeignKeyLink | None:
    """A way to join; one whose parent can be named more often."""
    if not facts.links:
        return None
    weights = [1 + 3 * bool(link.parent.get_columns_of_kind("name", "category")) for link in facts.links]
    return draw.choices(facts.links, weights)[0]


def draw_join_path(draw: Random, facts: DatabaseProfile) -> tuple[str, TableProfile, str] | None:
    """A child joined to a parent, or to its parent's parent, under a condition on the last: FROM and WHERE, the table
    of the rows, and the rows in words."""
    link = pick_foreign_key_link(draw, facts)
    if link is None:
        return None
    up = [each for each in facts.links if each.child == link.parent and each.parent != link.child]
    path = [link, draw.choice(up)] if up and draw.random() < 0.3 else [link]
    last = draw_condition(draw, path[-1].parent)
    if last is None:
        return None
    source = f" FROM {link.child.sql}" + "".join(f" JOIN {each.parent.sql} ON {each.join_condition}" for each in path)
    if len(path) == 1 and last.text.startswith("whose ") and (not link.is_only_key or draw.random() < 0.25):
        said = f"{link.child.plural_noun} whose {link.role}'s {last.text.removeprefix('whose ')}"
        return f"{source} WHERE {last.sql}", link.child, said
    own = draw_condition(draw, link.child) if draw.random() < 0.2 else None
    where = f" WHERE {own.sql} AND {last.sql}" if own else f" WHERE {last.sql}"
    rows = f"{link.child.plural_noun} {own.text}" if own else link.child.plural_noun
    return source + where, link.child, f"{' of '.join([rows, *(each.parent.plural_noun for each in path)])} {last.text}"


def draft_join_rows(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """Columns of rows under a condition on what they belong to."""
    found = draw_join_path(draw, facts)
    if found is None:
        return None
    source, table, said = found
    shown = pick_output_columns(draw, table)
    return QuestionDraft(phrase_request(draw, phrase_columns(draw, shown, said)), f"SELECT {render_column_list(shown)}{source}")


def draft_join_count(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """How many rows there are under such a condition."""
    found = draw_join_path(draw, facts)
    if found is None:
        return None
    source, _, said = found
    forms = (f"How many {said} are there?", f"Count the {said}.", f"What is the number of {said}?")
    return QuestionDraft(draw.choice(forms), f"SELECT COUNT(*){source}")


def draft_join_aggregate(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """The average, sum or end of a number of such rows."""
    found = draw_join_path(draw, facts)
    if found is None or not found[1].get_columns_of_kind("number"):
        return None
    source, table, said = found
    column, name = draw.choice(table.get_columns_of_kind("number")), draw.choice(list(AGGREGATE_WORDS))
    what = f"the {draw.choice(AGGREGATE_WORDS[name])} {column.singular_noun} of {said}"
    return QuestionDraft(phrase_request(draw, what, VALUE_OPENERS), f"SELECT {name}({column.sql}){source}")


def draft_join_columns(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """A column of each side: `the order date of each order and the name of its customer`."""
    link = pick_foreign_key_link(draw, facts)
    if link is None or not link.parent.get_columns_of_kind("name", "category"):
        return None
    own, other = pick_output_columns(draw, link.child, 1), draw.choice(link.parent.get_columns_of_kind("name", "category"))
    where = draw_condition(draw, link.child) if draw.random() < 0.7 else None
    rows = f"{link.child.plural_noun} {where.text}" if where else f"all {link.child.plural_noun}"
    tail = f" WHERE {where.sql}" if where else ""
    forms = (f"the {own[0].singular_noun} and the {link.role} {other.singular_noun} of {rows}",
             f"the {own[0].singular_noun} and the {other.singular_noun} of the {link.role} of {rows}")
    return QuestionDraft(phrase_request(draw, draw.choice(forms)), f"SELECT {own[0].sql}, {other.sql} FROM {link.child.sql} "
                 f"JOIN {link.parent.sql} ON {link.join_condition}{tail}")


def _render_parent_join(link: ForeignKeyLink) -> str:
    return f"FROM {link.parent.sql} JOIN {link.child.sql} ON {link.parent.sql}.\"{link.parent_column}\" = " \
           f"{link.child.sql}.\"{link.child_column}\""


def draft_join_group(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """How many children, or what of theirs, for each value of a column of the parent."""
    link = pick_foreign_key_link(draw, facts)
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


def draft_join_having(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """Parents that have more than so many children."""
    link = pick_foreign_key_link(draw, facts)
    if link is None or not link.is_only_key or not link.parent.get_columns_of_kind("name", "category"):
        return None
    by = draw.choice(link.parent.get_columns_of_kind("name") or link.parent.get_columns_of_kind("category"))
    least = max(1, round(link.child.row_count / by.distinct_count * draw.choice((0.7, 1, 1.4))))
    word, sign = draw.choice((("more than", ">"), ("at least", ">=")))
    forms = (f"Which {link.parent.singular_noun} {by.plural_noun} have {word} {least} {link.child.plural_noun}?",
             f"List the {link.parent.singular_noun} {by.plural_noun} with {word} {least} {link.child.plural_noun}.")
    grouped = f"{_render_parent_join(link)} GROUP BY {by.sql}"
    return QuestionDraft(draw.choice(forms), f"SELECT {by.sql} {grouped} HAVING COUNT(*) {sign} {least}")


def draft_join_top(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """The parent with most children, or fewest."""
    link = pick_foreign_key_link(draw, facts)
    if link is None or not link.is_only_key or not link.parent.get_columns_of_kind("name", "category"):
        return None
    by = draw.choice(link.parent.get_columns_of_kind("name", "category"))
    way, word = draw.choice(((" DESC", "most"), ("", "fewest")))
    found = draw_condition(draw, link.child) if draw.random() < 0.5 else None
    where, rows = (f" WHERE {found.sql}", f"{link.child.plural_noun} {found.text}") if found else ("", link.child.plural_noun)
    forms = (f"Which {link.parent.singular_noun} {by.singular_noun} has the {word} {rows}?",
             f"Find the {link.parent.singular_noun} {by.singular_noun} with the {word} {rows}.")
    tail = f" {_render_parent_join(link)}{where} GROUP BY {by.sql} ORDER BY COUNT(*){way} LIMIT "
    return QuestionDraft(draw.choice(forms), f"SELECT {by.sql}{tail}1", f"SELECT COUNT(*){tail}2")


def draft_against_average(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """Rows above or below the average."""
    table = pick_profile_table(draw, facts)
    if not table.get_columns_of_kind("number"):
        return None
    column, shown = draw.choice(table.get_columns_of_kind("number")), pick_output_columns(draw, table)
    sign, word = draw.choice(((">", "above"), ("<", "below")))
    said = f"{table.plural_noun} whose {column.singular_noun} is {word} the average"
    return QuestionDraft(phrase_request(draw, phrase_columns(draw, shown, said)), f"SELECT {render_column_list(shown)} FROM {table.sql} "
                 f"WHERE {column.sql} {sign} (SELECT AVG({column.sql}) FROM {table.sql})")


def draft_at_extreme(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """All rows at the maximum or the minimum, however many they are."""
    table = pick_profile_table(draw, facts)
    if not table.get_columns_of_kind("number", "date"):
        return None
    column, shown = draw.choice(table.get_columns_of_kind("number", "date")), pick_output_columns(draw, table)
    way, word = draw_superlative(draw, column)
    name = "MAX" if way else "MIN"
    said = f"all {table.plural_noun} that have the {word} {column.singular_noun}"
    return QuestionDraft(phrase_request(draw, phrase_columns(draw, shown, said)), f"SELECT {render_column_list(shown)} FROM {table.sql} "
                 f"WHERE {column.sql} = (SELECT {name}({column.sql}) FROM {table.sql})")


def draft_without_children(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """Parents that no child points to, or no child of some kind."""
    link = pick_foreign_key_link(draw, facts)
    if link is None or not link.is_only_key:
        return None
    found = draw_condition(draw, link.child) if draw.random() < 0.6 else None
    inner = f" WHERE {found.sql}" if found else ""
    none = draw.choice(("that have no", "without any"))
    said = f"{link.parent.plural_noun} {none} {link.child.plural_noun}{f' {found.text}' if found else ''}"
    return _draft_membership(draw, link, said,
                       f"NOT IN (SELECT {link.child.sql}.\"{link.child_column}\" FROM {link.child.sql}{inner})")


def draft_with_children(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """Parents that some child of a kind points to."""
    link = pick_foreign_key_link(draw, facts)
    found = draw_condition(draw, link.child) if link else None
    if link is None or not link.is_only_key or found is None:
        return None
    said = f"{link.parent.plural_noun} that have {link.child.plural_noun} {found.text}"
    return _draft_membership(draw, link, said,
                       f"IN (SELECT {link.child.sql}.\"{link.child_column}\" FROM {link.child.sql} WHERE {found.sql})")


def _draft_membership(draw: Random, link: ForeignKeyLink, said: str, test: str) -> QuestionDraft:
    shown = pick_output_columns(draw, link.parent)
    where = f" FROM {link.parent.sql} WHERE {link.parent.sql}.\"{link.parent_column}\" {test}"
    if draw.random() < 0.3:
        return QuestionDraft(f"How many {said} are there?", f"SELECT COUNT(*){where}")
    return QuestionDraft(phrase_request(draw, phrase_columns(draw, shown, said), LIST_OPENERS), f"SELECT {render_column_list(shown)}{where}")


def draft_set_operation(draw: Random, facts: DatabaseProfile) -> QuestionDraft | None:
    """Values that two conditions share, or that one has and the other has not."""
    table = pick_profile_table(draw, facts)
    pool = table.get_columns_of_kind("category")
    if not pool:
        return None
    column, one, two = draw.choice(pool), draw_compound_condition(draw, table, 1), draw_compound_condition(draw, table, 1)
    if one is None or two is None or one.sql == two.sql or column.sql in one.sql + two.sql:
        return None
    if one.sql.split(" ")[0] == two.sql.split(" ")[0] and " = " not in one.sql:
        return None
    sign, word = draw.choice((("INTERSECT", "both"), ("EXCEPT", "but not")))
    head = f"the {column.plural_noun} of"
    said = f"{head} both {table.plural_noun} {one.text} and {table.plural_noun} {two.text}" if word == "both" else \
        f"{head} {table.plural_noun} {one.text} but not of {table.plural_noun} {two.text}"
    part = f"SELECT {column.sql} FROM {table.sql} WHERE"
    return QuestionDraft(phrase_request(draw, said), f"{part} {one.sql} {sign} {part} {two.sql}")
