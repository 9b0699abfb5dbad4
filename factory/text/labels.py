"""Labels as they are compared everywhere, and labels that are nearly equal to another one."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory.text.normalise import normalise, remove_invisible
from factory.text.templates import write_as_text

WHOLE_NUMBER_PATTERN = re.compile(r"^([+-]?\d+)\.0+$")
"""A whole number as tables of floats write it: 1.0 for 1."""


@dataclass(frozen=True, slots=True)
class LabelSpelling:
    """A label that is nearly equal to `other`, the spelling of most rows, with the rows of both."""

    label: str
    rows: int
    other: str
    other_rows: int

    def describe(self) -> str:
        """Return both spellings with their rows, escaped where a screen would show no difference."""
        one, two = (unicodedata.normalize("NFKC", remove_invisible(label)) for label in (self.label, self.other))
        quote = ascii if one == two else repr
        rows = f"{self.other_rows} row{'s' * (self.other_rows > 1)}"
        return f"label {quote(self.label)} ({self.rows}) is nearly equal to {quote(self.other)} ({rows})"


def normalise_label(label: Any) -> str:
    """Return a label as labels are compared everywhere: in Unicode's composed form (NFC), without white space at its
    ends, and with one space for each run of it. A number or boolean is written as JSON writes it: 1.0 is 1."""
    return " ".join(unicodedata.normalize("NFC", write_as_text(label)).split())


def find_label_spellings(counts: Mapping[str, int]) -> list[LabelSpelling]:
    """Return the labels that differ from a more frequent one in case, punctuation, invisible characters or Unicode's
    compatibility form only, or as 1.0 from 1. `counts` are the rows of each label."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for label in counts:
        alike[WHOLE_NUMBER_PATTERN.sub(r"\1", normalise(label))].append(label)
    found = []
    for labels in alike.values():
        first, *others = sorted(labels, key=lambda label: (-counts[label], label.swapcase()))
        found += [LabelSpelling(label, counts[label], first, counts[first]) for label in others]
    return found
