"""Questions about two or three tables: joined along their keys, nested, and joined as sets."""

from __future__ import annotations

from random import Random

from factory_sql.facts import Facts, Link, TableFacts
from factory_sql.shapes import AGGREGATES, Draft, listed, pick_shown, pick_table, superlative
from factory_sql.speech import LIST, WHAT, asked, columns_of, condition, conditions


def pick_link(draw: Random, facts: Facts) -> Link | None:
    """A way to join; one whose parent can be named more often."""
    if not facts.links:
        return None
    weights = [1 + 3 * bool(link.parent.of("name", "category")) for link in facts.links]
    return draw.choices(facts.links, weights)[0]


def through(draw: Random, facts: Facts) -> tuple[str, TableFacts, str] | None:
    """A child joined to a parent, or to its parent's parent, under a condition on the last: FROM and WHERE, the table
    of the rows, and the rows in words."""
    link = pick_link(draw, facts)
    if link is None:
        return None
    up = [each for each in facts.links if each.child == link.parent and each.parent != link.child]
    path = [link, draw.choice(up)] if up and draw.random() < 0.3 else [link]
    last = condition(draw, path[-1].parent)
    if last is None:
        return None
    source = f" FROM {link.child.sql}" + "".join(f" JOIN {each.parent.sql} ON {each.on}" for each in path)
    if len(path) == 1 and last.text.startswith("whose ") and (not link.sole or draw.random() < 0.25):
        said = f"{link.child.many} whose {link.role}'s {last.text.removeprefix('whose ')}"
        return f"{source} WHERE {last.sql}", link.child, said
    own = condition(draw, link.child) if draw.random() < 0.2 else None
    where = f" WHERE {own.sql} AND {last.sql}" if own else f" WHERE {last.sql}"
    rows = f"{link.child.many} {own.text}" if own else link.child.many
    return source + where, link.child, f"{' of '.join([rows, *(each.parent.many for each in path)])} {last.text}"


def join_rows(draw: Random, facts: Facts) -> Draft | None:
    """Columns of rows under a condition on what they belong to."""
    found = through(draw, facts)
    if found is None:
        return None
    source, table, said = found
    shown = pick_shown(draw, table)
    return Draft(asked(draw, columns_of(draw, shown, said)), f"SELECT {listed(shown)}{source}")


def join_count(draw: Random, facts: Facts) -> Draft | None:
    """How many rows there are under such a condition."""
    found = through(draw, facts)
    if found is None:
        return None
    source, _, said = found
    forms = (f"How many {said} are there?", f"Count the {said}.", f"What is the number of {said}?")
    return Draft(draw.choice(forms), f"SELECT COUNT(*){source}")


def join_aggregate(draw: Random, facts: Facts) -> Draft | None:
    """The average, sum or end of a number of such rows."""
    found = through(draw, facts)
    if found is None or not found[1].of("number"):
        return None
    source, table, said = found
    column, name = draw.choice(table.of("number")), draw.choice(list(AGGREGATES))
    what = f"the {draw.choice(AGGREGATES[name])} {column.one} of {said}"
    return Draft(asked(draw, what, WHAT), f"SELECT {name}({column.sql}){source}")


def join_shown(draw: Random, facts: Facts) -> Draft | None:
    """A column of each side: `the order date of each order and the name of its customer`."""
    link = pick_link(draw, facts)
    if link is None or not link.parent.of("name", "category"):
        return None
    own, other = pick_shown(draw, link.child, 1), draw.choice(link.parent.of("name", "category"))
    where = condition(draw, link.child) if draw.random() < 0.7 else None
    rows = f"{link.child.many} {where.text}" if where else f"all {link.child.many}"
    tail = f" WHERE {where.sql}" if where else ""
    forms = (f"the {own[0].one} and the {link.role} {other.one} of {rows}",
             f"the {own[0].one} and the {other.one} of the {link.role} of {rows}")
    return Draft(asked(draw, draw.choice(forms)), f"SELECT {own[0].sql}, {other.sql} FROM {link.child.sql} "
                 f"JOIN {link.parent.sql} ON {link.on}{tail}")


def _joined(link: Link) -> str:
    return f"FROM {link.parent.sql} JOIN {link.child.sql} ON {link.parent.sql}.\"{link.target}\" = " \
           f"{link.child.sql}.\"{link.column}\""


def join_group(draw: Random, facts: Facts) -> Draft | None:
    """How many children, or what of theirs, for each value of a column of the parent."""
    link = pick_link(draw, facts)
    if link is None or not link.sole or not link.parent.of("category", "name"):
        return None
    by = draw.choice(link.parent.of("category", "name"))
    numbers = link.child.of("number")
    of = f"{link.parent.one} {by.one}"
    if numbers and draw.random() < 0.4:
        number, name = draw.choice(numbers), draw.choice(list(AGGREGATES))
        what = f"the {draw.choice(AGGREGATES[name])} {number.one} of {link.child.many}"
        forms = (f"For each {of}, what is {what}?", f"Show each {of} and {what}.")
        value = f"{name}({number.sql})"
    else:
        forms = (f"For each {of}, how many {link.child.many} are there?",
                 f"Show each {of} and the number of {link.child.many}.")
        value = "COUNT(*)"
    return Draft(draw.choice(forms), f"SELECT {by.sql}, {value} {_joined(link)} GROUP BY {by.sql}")


def join_having(draw: Random, facts: Facts) -> Draft | None:
    """Parents that have more than so many children."""
    link = pick_link(draw, facts)
    if link is None or not link.sole or not link.parent.of("name", "category"):
        return None
    by = draw.choice(link.parent.of("name") or link.parent.of("category"))
    least = max(1, round(link.child.rows / by.distinct * draw.choice((0.7, 1, 1.4))))
    word, sign = draw.choice((("more than", ">"), ("at least", ">=")))
    forms = (f"Which {link.parent.one} {by.many} have {word} {least} {link.child.many}?",
             f"List the {link.parent.one} {by.many} with {word} {least} {link.child.many}.")
    grouped = f"{_joined(link)} GROUP BY {by.sql}"
    return Draft(draw.choice(forms), f"SELECT {by.sql} {grouped} HAVING COUNT(*) {sign} {least}")


def join_top(draw: Random, facts: Facts) -> Draft | None:
    """The parent with most children, or fewest."""
    link = pick_link(draw, facts)
    if link is None or not link.sole or not link.parent.of("name", "category"):
        return None
    by = draw.choice(link.parent.of("name", "category"))
    way, word = draw.choice(((" DESC", "most"), ("", "fewest")))
    found = condition(draw, link.child) if draw.random() < 0.5 else None
    where, rows = (f" WHERE {found.sql}", f"{link.child.many} {found.text}") if found else ("", link.child.many)
    forms = (f"Which {link.parent.one} {by.one} has the {word} {rows}?",
             f"Find the {link.parent.one} {by.one} with the {word} {rows}.")
    tail = f" {_joined(link)}{where} GROUP BY {by.sql} ORDER BY COUNT(*){way} LIMIT "
    return Draft(draw.choice(forms), f"SELECT {by.sql}{tail}1", f"SELECT COUNT(*){tail}2")


def against_average(draw: Random, facts: Facts) -> Draft | None:
    """Rows above or below the average."""
    table = pick_table(draw, facts)
    if not table.of("number"):
        return None
    column, shown = draw.choice(table.of("number")), pick_shown(draw, table)
    sign, word = draw.choice(((">", "above"), ("<", "below")))
    said = f"{table.many} whose {column.one} is {word} the average"
    return Draft(asked(draw, columns_of(draw, shown, said)), f"SELECT {listed(shown)} FROM {table.sql} "
                 f"WHERE {column.sql} {sign} (SELECT AVG({column.sql}) FROM {table.sql})")


def at_extreme(draw: Random, facts: Facts) -> Draft | None:
    """All rows at the maximum or the minimum, however many they are."""
    table = pick_table(draw, facts)
    if not table.of("number", "date"):
        return None
    column, shown = draw.choice(table.of("number", "date")), pick_shown(draw, table)
    way, word = superlative(draw, column)
    name = "MAX" if way else "MIN"
    said = f"all {table.many} that have the {word} {column.one}"
    return Draft(asked(draw, columns_of(draw, shown, said)), f"SELECT {listed(shown)} FROM {table.sql} "
                 f"WHERE {column.sql} = (SELECT {name}({column.sql}) FROM {table.sql})")


def without_any(draw: Random, facts: Facts) -> Draft | None:
    """Parents that no child points to, or no child of some kind."""
    link = pick_link(draw, facts)
    if link is None or not link.sole:
        return None
    found = condition(draw, link.child) if draw.random() < 0.6 else None
    inner = f" WHERE {found.sql}" if found else ""
    none = draw.choice(("that have no", "without any"))
    said = f"{link.parent.many} {none} {link.child.many}{f' {found.text}' if found else ''}"
    return _membership(draw, link, said,
                       f"NOT IN (SELECT {link.child.sql}.\"{link.column}\" FROM {link.child.sql}{inner})")


def with_some(draw: Random, facts: Facts) -> Draft | None:
    """Parents that some child of a kind points to."""
    link = pick_link(draw, facts)
    found = condition(draw, link.child) if link else None
    if link is None or not link.sole or found is None:
        return None
    said = f"{link.parent.many} that have {link.child.many} {found.text}"
    return _membership(draw, link, said,
                       f"IN (SELECT {link.child.sql}.\"{link.column}\" FROM {link.child.sql} WHERE {found.sql})")


def _membership(draw: Random, link: Link, said: str, test: str) -> Draft:
    shown = pick_shown(draw, link.parent)
    where = f" FROM {link.parent.sql} WHERE {link.parent.sql}.\"{link.target}\" {test}"
    if draw.random() < 0.3:
        return Draft(f"How many {said} are there?", f"SELECT COUNT(*){where}")
    return Draft(asked(draw, columns_of(draw, shown, said), LIST), f"SELECT {listed(shown)}{where}")


def sets(draw: Random, facts: Facts) -> Draft | None:
    """Values that two conditions share, or that one has and the other has not."""
    table = pick_table(draw, facts)
    pool = table.of("category")
    if not pool:
        return None
    column, one, two = draw.choice(pool), conditions(draw, table, 1), conditions(draw, table, 1)
    if one is None or two is None or one.sql == two.sql or column.sql in one.sql + two.sql:
        return None
    if one.sql.split(" ")[0] == two.sql.split(" ")[0] and " = " not in one.sql:
        return None
    sign, word = draw.choice((("INTERSECT", "both"), ("EXCEPT", "but not")))
    head = f"the {column.many} of"
    said = f"{head} both {table.many} {one.text} and {table.many} {two.text}" if word == "both" else \
        f"{head} {table.many} {one.text} but not of {table.many} {two.text}"
    part = f"SELECT {column.sql} FROM {table.sql} WHERE"
    return Draft(asked(draw, said), f"{part} {one.sql} {sign} {part} {two.sql}")
