"""Drop rows with characters that no writer meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import Curator, Decision, Fraction, RowsJob
from factory_curators.common import TEXT_COLUMNS_DESCRIPTION, get_row_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BROKEN_CATEGORIES = ("Cc", "Co", "Cs")
"""Unicode categories that no text needs: controls, private use, half a surrogate pair."""
ALLOWED_CONTROLS = "\t\n\r"
REPLACEMENT_CHARACTER = "�"
MOJIBAKE_PATTERN = re.compile(r"Ã[\x80-\xbf¡-¿]|â€[\x80-\xbfœ™˜¦“”]|Â[\xa0-\xbf]|Ð[\x80-\xbf°-¿]Ñ")
"""UTF-8 that was read as Latin-1 or Windows-1252, such as `Ã©` for `é`."""
PLAIN, ODD, LETTER, SPACE = range(4)


class Characters(Curator):
    """Drops a text with control, private or replacement characters, misread encodings, or too few letters.

    Shares are of the characters that are no white space.
    """

    kind = "characters"
    share_metric = "odd_characters"

    odd: Fraction = Field(0.01, description="share of control, private and replacement characters, at most")
    letters: Fraction = Field(0.25, description="share of letters, marks and digits of any script, at least")
    misread: bool = Field(True, description="whether a text goes whose encoding was misread, such as `cafÃ©`")
    on: list[str] = Field([], description=TEXT_COLUMNS_DESCRIPTION)

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        import numpy as np

        for row in job.rows:
            text = get_row_text(row, job, self.on)
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
            why = self._find_bad_characters(text, np.bincount(_build_category_table()[codes], minlength=4).tolist())
            yield Decision(row.id, not why, why)

    def _find_bad_characters(self, text: str, counts: list[int]) -> str:
        size = counts[PLAIN] + counts[ODD] + counts[LETTER]
        if size and counts[ODD] > self.odd * size:
            return "has control, private or replacement characters"
        if size and counts[LETTER] < self.letters * size:
            return "has few letters and digits among its signs"
        return "was read in the wrong encoding" if self.misread and MOJIBAKE_PATTERN.search(text) else ""


@cache
def _build_category_table() -> NDArray[np.uint8]:
    """What kind of character each code point is."""
    import numpy as np

    kinds = np.zeros(0x110000, dtype=np.uint8)
    for code in range(0x110000):
        category = unicodedata.category(chr(code))
        if category in BROKEN_CATEGORIES:
            kinds[code] = ODD
        elif category[0] in "LMN":
            kinds[code] = LETTER
        elif category[0] == "Z":
            kinds[code] = SPACE
    kinds[ord(REPLACEMENT_CHARACTER)] = ODD
    kinds[[ord(sign) for sign in ALLOWED_CONTROLS]] = SPACE
    return kinds
