"""The normal form in which texts are compared: curators, the leakage check and row groups all use this one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

NON_WORD_PATTERN = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Case-folded NFKC form in which every run of white space and punctuation is one space.

    A text that is all punctuation keeps it: "+" and "-" are different.
    """
    # Case folding can produce characters that NFKC changes again, so normalise on both sides of it.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return NON_WORD_PATTERN.sub(" ", folded).strip() or " ".join(folded.split())


def join_text_columns(columns: Mapping[str, object], names: Iterable[str] = ()) -> str:
    """Join the named columns, or all text columns, with newlines. Raises ValueError if a column is missing."""
    chosen = list(names) or sorted(name for name, value in columns.items() if isinstance(value, str))
    missing = [name for name in chosen if name not in columns]
    if missing:
        raise ValueError(f"rows have no column {missing[0]!r}; they have {', '.join(columns)}")
    return "\n".join(str(columns[name]) for name in chosen)
