"""The licence notes of a bundle: what it was made from, and under which terms that came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNKNOWN = "unknown"


def of_source(source: Mapping[str, Any]) -> str:
    """The licences that a source states, or `unknown`."""
    said = source.get("licences") or [source.get("licence") or UNKNOWN]
    return ", ".join(said)


def notes(base: Mapping[str, Any], gather: Mapping[str, Any]) -> str:
    """Markdown: a line for the base and one for each source."""
    lines = [
        "# Licences", "",
        "The adapter was trained from the base and the rows below. Their licences hold for what is derived from them,",
        "as far as they reach; `unknown` means that nothing was stated, not that anything is allowed.", "",
        "| what | which | licence |", "|---|---|---|",
        f"| base | {base['id']} ({base['source']}) | {base['licence']} |",
        *(f"| rows | {source['kind']} | {of_source(source)} |" for source in gather["sources"]),
        "", "`factory/golden.jsonl` holds a few of those rows, with the entries that they refer to.", "",
    ]
    return "\n".join(lines)
