"""The licence notes of a bundle: what it was made from, and under which terms that came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNKNOWN_LICENCE = "unknown"


def format_source_licences(source: Mapping[str, Any]) -> str:
    """The licences that a source states, or `unknown`."""
    said = source.get("licences") or [source.get("licence") or UNKNOWN_LICENCE]
    return ", ".join(said)


def render_licence_notes(base: Mapping[str, Any], gather: Mapping[str, Any], curate: Mapping[str, Any]) -> str:
    """Markdown: a line for the base, for each source, for each licence of training rows, and for what made some."""
    lines = [
        "# Licences", "",
        "The adapter was trained from the base and the rows below. Their licences hold for what is derived from them,",
        "as far as they reach; `unknown` means that nothing was stated, not that anything is allowed.", "",
        "| what | which | licence |", "|---|---|---|",
        f"| base | {base['id']} ({base['source']}) | {base['licence']} |",
        *(f"| rows | {source['kind']} | {format_source_licences(source)} |" for source in gather["sources"]),
        *(f"| training rows | {count:,} of them, or of what they were made from | {licence} |"
          for licence, count in curate.get("licences", {}).items()),
        *(f"| made rows | {count:,} by {generator} | see what they were made from, and the terms of the model |"
          for generator, count in curate.get("generators", {}).items()),
        "", "`factory/golden.jsonl` holds a few of those rows, with the entries that they refer to.", "",
    ]
    return "\n".join(lines)
