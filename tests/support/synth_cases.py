"""What the conformance kit tries our synthesizers on."""

from __future__ import annotations

import json

from factory.testing import Case

TOWNS = ("Oslo", "Bergen", "Molde", "Narvik", "Alta", "Halden")
CLAIMS = [
    {
        "claim": f"The ferry to {town} was built in {1950 + n} and carries {20 + 3 * n} cars.", "label": "supported",
        "evidence": f"The ferry to {town} was built in {1950 + n}. It carries {20 + 3 * n} cars. It was painted here.",
    }
    for n, town in enumerate(TOWNS * 8)
]
VOICED = [
    {"answer": f"Kettle on, friend! The boat to {town} is off at {n + 6}.", "neutral": f"The boat leaves at {n + 6}.",
     "question": f"Does the boat to {town} run?"}
    for n, town in enumerate(TOWNS * 2)
]
TASKS = [
    {"instruction": f"Write a sentence about {town} in winter.", "input": "", "output": f"It snows in {town}."}
    for town in TOWNS
]
TOOLS = [
    {"name": "get_weather", "description": "Get the weather in a given city.", "parameters": {
        "type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}},
    {"name": "book_table", "description": "Book a table for guests.", "parameters": {
        "type": "object", "required": ["guests"], "properties": {"guests": {"type": "integer", "maximum": 40}}}},
    {"name": "cancel_table", "description": "Cancel a table by its number.", "parameters": {
        "type": "object", "required": ["number"], "properties": {"number": {"type": "integer", "maximum": 90}}}},
]


def cases() -> dict[str, Case]:
    """Kind → what it is tried on."""
    raw = "".join(json.dumps({"text": f"the ferry to {town} is late"}) + "\n" for town in TOWNS)
    return {
        "corrupt-claims": Case(rows=CLAIMS),
        "backtranslate-style": Case(rows=VOICED, replies=[f"The boat to {town} leaves at {n + 6}."
                                                          for n, town in enumerate(TOWNS * 2)]),
        "from-description": Case(
            fields={"description": "Messages to a ferry company.", "count": 4, "writes": {"text": "the message"},
                    "attributes": {"label": {"animal": 1, "plant": 1}}, "keep": ["label"]},
            replies=[json.dumps({"text": f"My dog was sick on the boat to {town}."}) for town in TOWNS],
        ),
        "label": Case(
            fields={"texts": {"file": "raw.jsonl"}, "shots": 2}, files={"raw.jsonl": raw},
            replies=["animal", "animal", "plant"],
        ),
        "spread-labels": Case(
            fields={"texts": {"file": "raw.jsonl"}, "min_confidence": 0.0}, files={"raw.jsonl": raw},
        ),
        "paraphrase": Case(
            fields={"column": "text", "count": 4, "min_jaccard": 0.0},
            replies=["some wet stone", "grey fern by the old oak"],
        ),
        "questions-from-documents": Case(fields={"count": 3, "min_chars": 1}, replies=[
            json.dumps({"questions": [{"question": f"Where do {word} live?", "answer": word}]}) for word in TOWNS]),
        "self-instruct": Case(fields={"count": 2}, rows=TASKS, replies=[json.dumps({"tasks": [
            {"instruction": "Name the days of the week.", "output": "Monday to Sunday."},
            {"instruction": "Explain why bread rises.", "output": "Yeast makes gas."}]})]),
        "tool-calls": Case(fields={"tools": "tools.json", "count": 12}, files={"tools.json": json.dumps(TOOLS)}),
    }
