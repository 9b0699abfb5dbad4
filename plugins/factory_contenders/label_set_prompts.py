"""Prompting for sets of labels: the answer is a JSON list of labels, sorted, each at most once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from factory.api import Grammar
from factory.api.label_sets import build_certain_output

SET_INSTRUCTION = "Answer with a JSON list of those of these that apply, in this order, or [] if none does: "


@lru_cache(maxsize=16)
def build_label_set_grammar(labels: tuple[str, ...]) -> Grammar:
    """Return the grammar of JSON lists of labels in their order, as `json.dumps` writes them; its size is linear."""
    lines = ['start: "[" list0? "]"' if labels else 'start: "[]"']
    for number, label in enumerate(labels):
        is_last = number == len(labels) - 1
        more = "" if is_last else f' (", " list{number + 1})?'
        skipped = "" if is_last else f" | list{number + 1}"
        # A Lark string is written as a JSON string: the label is encoded as JSON, and that as a string.
        item = json.dumps(json.dumps(label, ensure_ascii=False), ensure_ascii=False)
        lines.append(f"list{number}: {item}{more}{skipped}")
    return Grammar("\n".join(lines) + "\n")


def parse_label_set(text: str, labels: Sequence[str]) -> dict[str, list[float]]:
    """Return the output that a reply means; a reply that is no JSON list of labels gives those that it quotes."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = [label for label in labels if json.dumps(label, ensure_ascii=False) in text]
    named = value if isinstance(value, list) else []
    return build_certain_output(labels, [label for label in named if isinstance(label, str)])
