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
from factory_sql.database import NON_WINDOW_FUNCTIONS
from factory_sql.schema import DatabaseSchema

KEYWORDS = (
    "ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "CROSS", "DESC", "DISTINCT", "ELSE", "END", "EXCEPT",
    "EXISTS", "FROM", "GLOB", "GROUP", "HAVING", "IN", "INNER", "INTERSECT", "IS", "JOIN", "LEFT", "LIKE", "LIMIT",
    "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OUTER", "SELECT", "THEN", "UNION", "WHEN", "WHERE",
)
SHARED_RULES = r"""
start: compound ";"?
compound: query (SP set_operator SP query)*
nested: compound | query_outer
set_operator: UNION (SP ALL)? | INTERSECT | EXCEPT
limit: SP LIMIT SP INTEGER (SP OFFSET SP INTEGER)?
literal: "-"? NUMBER | TEXT | NULL
source: TABLE (SP AS SP ALIAS | SP SHORT_ALIAS)?
join: SP (JOIN | INNER SP JOIN | LEFT SP (OUTER SP)? JOIN) SP source SP ON SP condition_join
    | SP CROSS SP JOIN SP source
from_join: source join+ | source (COMMA source)+ | source SP AS SP ALIAS | "(" nested ")" (SP AS SP ALIAS)?
from_outer: source join*
column_join: COLUMN | column_outer
SP: " " | "\n"
COMMA: "," | ", " | ",\n"
COMPARISON: "=" | "==" | "<>" | "!=" | "<=" | ">=" | "<" | ">"
OPERATOR: "+" | "-" | "*" | "/" | "%" | "||"
INTEGER: /[0-9]{1,9}/
NUMBER: /[0-9]{1,12}(\.[0-9]{1,6})?/
TEXT: /'([^'\n]|''){0,80}'/
ALIAS: /[A-Za-z][A-Za-z0-9_]{0,19}/ & ~/(KEYWORDS)/
SHORT_ALIAS: /[A-Za-z][0-9]?/
"""
QUERY_RULES = r"""
query_X: SELECT SP (DISTINCT SP)? item_X (COMMA item_X)* SP FROM SP from_X rest_X
rest_X: (SP WHERE SP condition_X)? group_X? order_X? limit?
item_X: "*" | value_X (SP AS SP ALIAS)?
group_X: SP GROUP SP BY SP value_X (COMMA value_X)* (SP HAVING SP condition_X)?
order_X: SP ORDER SP BY SP term_X (COMMA term_X)*
term_X: value_X (SP (ASC | DESC))?
condition_X: test_X (SP (AND | OR) SP test_X)*
test_X: (NOT SP)? (comparison_X | "(" condition_X ")" | EXISTS SP? "(" nested ")")
comparison_X: value_X SP? COMPARISON SP? value_X
    | value_X SP IS SP (NOT SP)? NULL
    | value_X SP (NOT SP)? ((LIKE | GLOB) SP value_X | BETWEEN SP value_X SP AND SP value_X | IN SP? "(" members ")")
value_X: operand_X (SP? OPERATOR SP? operand_X)*
operand_X: column_X | literal | function_X | "(" (nested | value_X) ")"
    | CASE (SP WHEN SP condition_X SP THEN SP value_X)+ (SP ELSE SP value_X)? SP END
function_X: FUNCTION "(" ((DISTINCT SP)? ("*" | value_X (COMMA value_X)*))? ")" | CAST "(" value_X SP AS SP TYPE ")"
"""
"""The rules of one query; X is the number of its only table, `join`, or `outer` in a nested query (qualified names)."""


@lru_cache(maxsize=256)
def get_sql_grammar(schema: str) -> Grammar:
    """Return the grammar for a schema in JSON, built once per process."""
    return build_sql_grammar(DatabaseSchema.from_json(json.loads(schema)))


def build_sql_grammar(schema: DatabaseSchema) -> Grammar:
    """Return the grammar of the SELECT statements over a schema."""
    tables = [(table.name, list(table.columns)) for table in schema.tables.values() if table.columns]
    scopes = [*map(str, range(len(tables))), "join", "outer"]
    rules = [SHARED_RULES.replace("KEYWORDS", f"(?i:{'|'.join(KEYWORDS)})")]
    rules += [QUERY_RULES.replace("_X", f"_{scope}") for scope in scopes]
    rules.append(f"query: {' | '.join(f'query_{scope}' for scope in scopes[:-1])}\n")
    rules.append("members: nested | literal (COMMA literal)*\n")
    qualified = ['SHORT_ALIAS "." COLUMN']
    for number, (name, columns) in enumerate(tables):
        rules.append(f"TABLE_{number}: {_join_names([name])}\nCOLUMN_{number}: {_join_names(columns)}\n")
        rules.append(f'from_{number}: TABLE_{number}\ncolumn_{number}: (TABLE_{number} ".")? COLUMN_{number}\n')
        qualified.append(f'TABLE_{number} "." COLUMN_{number}')
    rules.append(f"column_outer: {' | '.join(qualified)}\n")
    rules.append(f"TABLE: {_join_names(name for name, _ in tables)}\n")
    rules.append(f"COLUMN: {_join_names(column for _, columns in tables for column in columns)}\n")
    rules += [f"{word}: {_join_spellings(word, word.lower())}\n" for word in KEYWORDS]
    functions = sorted(NON_WINDOW_FUNCTIONS)
    rules.append(f"FUNCTION: {_join_spellings(*functions, *(name.upper() for name in functions))}\n")
    rules.append(f"TYPE: {_join_spellings('INTEGER', 'REAL', 'TEXT', 'NUMERIC')}\n")
    return Grammar("".join(rules))


def _join_names(names: Iterable[str]) -> str:
    """Return the alternatives of names, quoted where SQL needs it."""
    spellings = {spelling: None for name in names for spelling in (name, name.lower())}
    return _join_spellings(*map(_quote_name, spellings))


def _quote_name(name: str) -> str:
    plain = re.fullmatch(r"[^\W\d]\w*", name) and name.upper() not in KEYWORDS
    return name if plain else '"' + name.replace('"', '""') + '"'


def _join_spellings(*words: str) -> str:
    return " | ".join(json.dumps(word, ensure_ascii=False) for word in words)
