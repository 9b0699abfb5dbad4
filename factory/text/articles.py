"""The indefinite article before a noun, for messages about names that only a spec or a plugin knows."""

from __future__ import annotations


def add_article(noun: str) -> str:
    """Return a noun with its article: `an eval`, `a source`. It goes by the first letter, as in all our words."""
    return f"{'an' if noun[:1].lower() in set('aeiou') else 'a'} {noun}"
