"""The Lark grammar of the SELECT statements over a schema, for constrained decoding.

Every name in a statement is one of the schema. A query of a single table takes that table's columns alone; a query that
joins tables takes any column, and `table.` the columns of that table. Whether a FROM reads every table that is named,
and whether an alias is defined, is beyond a context-free grammar: the guard refuses such a statement when it is run.
Keywords are in upper or in lower case, and a name is spelled as in the schema or in lower case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache

from factory.api import Grammar
from factory_sql.database import AGGREGATES, FUNCTION_ARITIES
from factory_sql.schema import DatabaseSchema

KEYWORDS = (
    "ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "CROSS", "DESC", "DISTINCT", "ELSE", "END", "EXCEPT",
    "EXISTS", "FROM", "GLOB", "GROUP", "HAVING", "IN", "INNER", "INTERSECT", "IS", "JOIN", "LEFT", "LIKE", "LIMIT",
    "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OUTER", "SELECT", "THEN", "UNION", "WHEN", "WHERE",
)
BOUNDS = {"DEPTH": 6, "LIST": 31, "CHAIN": 11, "OPERATORS": 7}
"""What makes the language finite, well beyond what people ask of a database: brackets within brackets; further items of
a list; further links of a chain (tests, joins, cases, set operations); operators of a value."""
SHARED_RULES = r"""
start: compound::0 ";"?
compound::_: query::_ (SP set_operator SP query::_){0,CHAIN}
nested::_: compound::_ | query_outer::_
set_operator: UNION (SP ALL)? | INTERSECT | EXCEPT
limit: SP LIMIT SP INTEGER (SP OFFSET SP INTEGER)?
literal: "-"? NUMBER | TEXT | NULL
source: TABLE (SP AS SP ALIAS | SP SHORT_ALIAS)?
join::_: SP (JOIN | INNER SP JOIN | LEFT SP (OUTER SP)? JOIN) SP source SP ON SP condition_join::_
    | SP CROSS SP JOIN SP source
from_join::_: source join::_{1,CHAIN} | source (COMMA source){1,CHAIN} | TABLE SP AS SP ALIAS
    | "(" nested::incr(_) ")" (SP AS SP ALIAS)? %if lt(_, DEPTH)
from_outer::_: source join::_{0,CHAIN}
column_join: COLUMN | column_outer
members::_: "(" literal (COMMA literal){0,LIST} ")"
    | "(" nested::incr(_) ")" %if lt(_, DEPTH)
SP: " " | "\n"
COMMA: "," | ", " | ",\n"
COMPARISON: "=" | "==" | "<>" | "!=" | "<=" | ">=" | "<" | ">"
OPERATOR: "+" | "*" | "/" | "%" | "||"
INTEGER: /[0-9]{1,9}/
NUMBER: /[0-9]{1,12}(\.[0-9]{1,6})?/
TEXT: /'([^'\n]|''){0,80}'/
ALIAS: /[A-Za-z][A-Za-z0-9_]{0,19}/ & ~/(KEYWORDS)/
SHORT_ALIAS: /[A-Za-z][0-9]?/
"""
QUERY_RULES = r"""
query_X::_: SELECT SP (DISTINCT SP)? item_X::_ (COMMA item_X::_){0,LIST} SP FROM SP from_X::_ rest_X::_
rest_X::_: (SP WHERE SP condition_X::_)? group_X::_? order_X::_? limit?
item_X::_: "*" | value_X::_ (SP AS SP ALIAS)?
group_X::_: SP GROUP SP BY SP values_X::_ (SP HAVING SP condition_X::_)?
order_X::_: SP ORDER SP BY SP term_X::_ (COMMA term_X::_){0,LIST}
term_X::_: value_X::_ (SP (ASC | DESC))?
condition_X::_: test_X::_ (SP (AND | OR) SP test_X::_){0,CHAIN}
test_X::_: (NOT SP)? comparison_X::_
    | (NOT SP)? bracketed_test_X::incr(_) %if lt(_, DEPTH)
bracketed_test_X::_: "(" condition_X::_ ")" | EXISTS SP? "(" nested::_ ")"
comparison_X::_: value_X::_ SP? COMPARISON SP? value_X::_
    | value_X::_ SP IS SP (NOT SP)? NULL
    | value_X::_ SP (NOT SP)? (LIKE | GLOB) SP value_X::_
    | value_X::_ SP (NOT SP)? (BETWEEN SP value_X::_ SP AND SP value_X::_ | IN SP? members::_)
value_X::_: operand_X::_ (SP? OPERATOR SP? operand_X::_ | SP? "-" (SP operand_X::_ | column_X | NUMBER)){0,OPERATORS}
values_X::_: value_X::_ (COMMA value_X::_){0,LIST}
operand_X::_: column_X | literal
    | bracketed_X::incr(_) %if lt(_, DEPTH)
bracketed_X::_: "(" nested::_ ")" | "(" value_X::_ ")" | CAST "(" value_X::_ SP AS SP TYPE ")"
    | CASE (SP WHEN SP condition_X::_ SP THEN SP value_X::_){1,CHAIN} (SP ELSE SP value_X::_)? SP END
    | COUNT "(" "*" ")" | AGGREGATE "(" DISTINCT SP value_X::_ ")" | CALLS
"""
"""The rules of one query; X is the number of its only table, `join`, or `outer` in a nested query (qualified names).

A minus is not followed by another one, which would begin a comment. The parameter of a rule, `_`, is the depth of its
brackets. `incr` stands before a rule of several alternatives alone: llguidance 1.9 fails on others."""


@lru_cache(maxsize=256)
def get_sql_grammar(schema: str) -> Grammar:
    """Return the grammar for a schema in JSON, built once per process."""
    return build_sql_grammar(DatabaseSchema.from_json(json.loads(schema)))


def build_sql_grammar(schema: DatabaseSchema) -> Grammar:
    """Return the grammar of the SELECT statements over a schema."""
    tables = [(table.name, list(table.columns)) for table in schema.tables.values() if table.columns]
    scopes = [*map(str, range(len(tables))), "join", "outer"]
    rules = [_fill_bounds(SHARED_RULES).replace("KEYWORDS", f"(?i:{'|'.join(KEYWORDS)})"), *_list_function_terminals()]
    query_rules = _fill_bounds(QUERY_RULES).replace("CALLS", _build_function_calls())
    rules += [query_rules.replace("_X", f"_{scope}") for scope in scopes]
    rules.append(f"query::_: {' | '.join(f'query_{scope}::_' for scope in scopes[:-1])}\n")
    qualified = ['SHORT_ALIAS "." COLUMN']
    for number, (name, columns) in enumerate(tables):
        rules.append(f"TABLE_{number}: {_join_names([name])}\nCOLUMN_{number}: {_join_names(columns)}\n")
        # The condition always holds: a rule that is called with a parameter must use it.
        rules.append(f"from_{number}::_: TABLE_{number} %if le(_, {BOUNDS['DEPTH']})\n")
        rules.append(f'column_{number}: (TABLE_{number} ".")? COLUMN_{number}\n')
        qualified.append(f'TABLE_{number} "." COLUMN_{number}')
    rules.append(f"column_outer: {' | '.join(qualified)}\n")
    rules.append(f"TABLE: {_join_names(name for name, _ in tables)}\n")
    rules.append(f"COLUMN: {_join_names(column for _, columns in tables for column in columns)}\n")
    rules += [f"{word}: {_join_spellings(word, word.lower())}\n" for word in KEYWORDS]
    rules.append(f"TYPE: {_join_spellings('INTEGER', 'REAL', 'TEXT', 'NUMERIC')}\n")
    return Grammar("".join(rules))


def _fill_bounds(rules: str) -> str:
    return re.sub("|".join(BOUNDS), lambda name: str(BOUNDS[name[0]]), rules)


def _group_functions() -> dict[tuple[int, int], list[str]]:
    """Return the functions of each least and greatest number of arguments."""
    return {arity: [name for name, own in FUNCTION_ARITIES.items() if own == arity]
            for arity in sorted(set(FUNCTION_ARITIES.values()))}


def _build_function_calls() -> str:
    """Return the alternatives of a function call, each with as many arguments as its functions take."""
    calls = []
    for least, most in _group_functions():
        more = f" (COMMA value_X::_){{{max(least - 1, 0)},{most - 1}}}" if most > 1 else ""
        calls.append(f'FUNCTION_{least}_{most} "(" (value_X::_{more}){"" if least else "?"} ")"')
    return " | ".join(calls)


def _list_function_terminals() -> list[str]:
    """Return the terminals of function names, in lower and in upper case."""
    groups = {f"FUNCTION_{least}_{most}": names for (least, most), names in _group_functions().items()}
    groups |= {"COUNT": ["count"], "AGGREGATE": list(AGGREGATES)}
    return [f"{group}: {_join_spellings(*names, *map(str.upper, names))}\n" for group, names in groups.items()]


def _join_names(names: Iterable[str]) -> str:
    """Return the alternatives of names, quoted where SQL needs it."""
    spellings = {spelling: None for name in names for spelling in (name, name.lower())}
    return _join_spellings(*map(_quote_name, spellings))


def _quote_name(name: str) -> str:
    plain = re.fullmatch(r"[^\W\d]\w*", name) and name.upper() not in KEYWORDS
    return name if plain else '"' + name.replace('"', '""') + '"'


def _join_spellings(*words: str) -> str:
    return " | ".join(json.dumps(word, ensure_ascii=False) for word in words)
