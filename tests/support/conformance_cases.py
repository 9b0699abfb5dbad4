"""What each of our own kinds is tried on, where the kit's rows do not do."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import source_cases
import synth_cases

from factory.testing import Case
from factory.testing.case import LABELS, generate_example_columns
from factory_sql.database import open_database

PLACES = ("Oslo", "Bergen", "Tromso", "Narvik", "Molde", "Alta")
PASSAGES = {f"p{n}": {"title": place, "text": f"The ferry to {place} runs at {n + 6} in winter."}
            for n, place in enumerate(PLACES)}
TALK = [
    {
        "history": [f"When does the ferry to {place} run?", f"At {m} in summer."], "question": f"And in winter, {m}?",
        "rewrite": f"When does the ferry to {place} run in winter?", "relevant": {f"p{n}": 1},
        "answer": f"At {n + 6} in winter.", "conversation": f"When does the ferry to {place} run?\nAnd in winter?",
    }
    for m, place in enumerate(PLACES * 8 + PLACES[:2]) for n in [m % 6]
]
VOICE = [
    {
        "question": f"Does boat {n} to {place} run?", "neutral": f"The boat to {place} leaves at {n % 6 + 6}.",
        "answer": f"Kettle on, friend! The boat to {place} is off at {n % 6 + 6}, rain or shine.", "moment": "plain",
    }
    for n, place in enumerate(PLACES * 8 + PLACES[:2])
]
SHOP = """\
CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT, total REAL, customer_id INTEGER REFERENCES customers(id));
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
INSERT INTO customers VALUES (1, 'Ada', 'Oslo'), (2, 'Bo', 'Alta'), (3, 'Cy', 'Oslo');
INSERT INTO orders VALUES (1, 'paid', 3.5, 1), (2, 'open', 9.0, 2), (3, 'paid', 1.0, 1), (4, 'open', 2.0, 3);
"""


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


TEXTS = [
    {"id": f"t{n}", "text": f"a text of number {n}", "label": "ab"[n % 2], "group": f"g{n // 2}"} for n in range(12)
]
TURNS = [{"id": f"d{n}", "topic": "ferries", "turns": [
    {"question": f"When does the ferry to {place} run?", "rewrite": f"When does the ferry to {place} run?",
     "answer": f"It runs at {n + 5} in summer."},
    {"question": "And in winter?", "rewrite": f"When does the ferry to {place} run in winter?", "answer": "At six."},
]} for n, place in enumerate(PLACES)]

SKIPPED: frozenset[str] = frozenset({"frontier"})
"""Kinds that another machine must answer for."""
BOUND: frozenset[str] = frozenset({"prompted-unguarded", "tuned-unguarded"})
"""Contenders whose rows their task alone prepares: the build of its spec has them."""
SMALL = frozenset({
    "assistant", "brand-voice", "by-length", "chat-log", "conversations", "csv", "dataset", "documents", "dpo",
    "embedding-difference", "execution", "general", "jsonl", "judge", "kto", "merged", "pairwise", "parquet",
    "preference", "retrieval", "reward", "reward-model", "self-instruct", "sql-generator", "sql-grammar", "sql-pairs",
    "sqlite", "thumbs", "vllm", "zelo",
})
"""Kinds whose case is too small a world for a whole build, or needs models of its own: their own stories build."""
LONG = frozenset({"icd10", "icd10-chapters", "label-noise", "near", "tfidf"})
"""Kinds that take seconds at every look."""
SQL = [
    {"question": f"How many orders are {status}?", "sql": f"SELECT COUNT(*) FROM orders WHERE status = '{status}'",
     "db": "shop", "answer": "SELECT 1"}
    for status in ("paid", "open", "late", "lost") for _ in range(12)
]


def shop() -> Case:
    """Questions to a database of two tables, whose file and schema stand in the side table."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "shop.sql").write_text(SHOP)
        schema = json.dumps(open_database(Path(folder) / "shop.sql").schema.to_json())
    tables = {"databases": {"shop": {"file": "shop.sql", "schema": schema}}}
    said = [row["sql"] if n % 2 else "SELECT 1" for n, row in enumerate(SQL)]
    return Case(rows=SQL, tables=tables, files={"shop.sql": SHOP}, answers=said, task="sql-generator")


def targeted() -> Case:
    """Rows whose candidates each have a worth."""
    rows = [
        {**one, "targets": {name: 1.0 if name in one["relevant"] else place / 10
                            for place, name in enumerate(one["candidates"])}}
        for one in generate_example_columns()
    ]
    return Case(rows=rows)


def several_labels() -> Case:
    """Rows with none, one or two labels."""
    rows = [
        {**one, "label": sorted({one["label"], LABELS[place % 3]})[: place % 4]}
        for place, one in enumerate(generate_example_columns())
    ]
    return Case(rows=rows)


def judged(**columns: object) -> Case:
    """Rows with a prompt, a good answer and what people said of it."""
    rows = [
        {**one, "chosen": one["answer"], **{name: value[place % 2] for name, value in columns.items()}}
        for place, one in enumerate(generate_example_columns())
    ]
    return Case(rows=rows)


def json_answers() -> Case:
    """Rows whose right answer is an object, with answers that are it, another one, and none."""
    rows = [{**one, "answer": json.dumps({"label": one["label"]})} for one in generate_example_columns()]
    texts = [(row["answer"], '{"label": 3}', "no idea")[place % 3] for place, row in enumerate(rows)]
    schema = {"properties": {"label": {"type": "string"}}}
    return Case(rows=rows, answers=texts, fields={"json_schema": schema})


def rewarded(**fields: object) -> Case:
    """Pairs with both answers in the order of the alphabet, and a reward for each."""
    rows = [{**one, "answers": sorted((one["chosen"], one["rejected"]))} for one in judged(
        rejected=("no idea", "it is what it is")).rows]
    rewards = [[float(text == row["chosen"]) * (place % 3 - 1) for text in row["answers"]]
               for place, row in enumerate(rows)]
    return Case(rows=rows, answers=rewards, task="reward-model", fields=fields)


CASES: dict[str, Case] = {
    **dict.fromkeys(("assistant", "by-length", "dpo", "preference"), judged(rejected=("no idea", "it is what it is"))),
    **dict.fromkeys(("kto", "thumbs"), judged(good=(True, False))),
    **dict.fromkeys(("pairwise", "embedding-difference"), rewarded()), "reward": rewarded(architecture="encoder"),
    "reward-model": judged(rejected=("no idea", "it is what it is")),
    "multi-label": several_labels(), "json": json_answers(),
    "judge": Case(replies=("A", "B", "B", "A", "A", "A", "neither")),
    **{f"{kind}-targets": targeted() for kind in ("bi-encoder", "cross-encoder", "late-interaction", "pointwise")},
    **source_cases.cases(), **synth_cases.cases(),
    "concatenate": Case(rows=TALK), "recall": Case(rows=TALK, tables={"passages": PASSAGES}),
    "rewriting": Case(rows=TALK), "query-rewriter": Case(rows=TALK, tables={"passages": PASSAGES}),
    "neutral": Case(rows=VOICE), "voice": Case(rows=VOICE), "brand-voice": Case(rows=VOICE),
    "balance": Case(fields={"count": 3}), "active": Case(fields={"count": 10}),
    "language": Case(fields={"scripts": ["latin"]}),
    "jsonl": Case(fields={"file": "rows.jsonl", "columns": ["text", "label"]}, files={"rows.jsonl": lines(*TEXTS)}),
    "retrieval": Case(
        fields={"corpus": "corpus.jsonl", "queries": "queries.jsonl", "qrels": "qrels.jsonl"},
        files={
            "corpus.jsonl": lines(*({"id": name, "text": p["text"]} for name, p in PASSAGES.items())),
            "queries.jsonl": lines(*({"id": f"q{n}", "text": f"ferry {n}"} for n in range(6))),
            "qrels.jsonl": lines(*({"query_id": f"q{n}", "doc_id": f"p{n}", "relevance": 1} for n in range(6))),
        },
    ),
    "conversations": Case(fields={"file": "talk.jsonl"}, files={"talk.jsonl": lines(*TURNS)}),
    "execution": shop(), "sql-generator": shop(), "synthesizer sql-grammar": replace(shop(), fields={"count": 12}),
    "prompted": Case(task="world-text"), "tuned-unguarded": shop(), "prompted-unguarded": shop(),
    "source sql-grammar": Case(fields={"database": "shop.sql", "count": 30}, files={"shop.sql": SHOP}),
    "sql-pairs": Case(
        fields={"file": "pairs.jsonl", "databases": "shop.sql"},
        files={"shop.sql": SHOP, "pairs.jsonl": lines(*({**one, "db_id": "shop"} for one in SQL[:6]))},
    ),
}
