"""Drop rows with broken or meaningless characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import Decision, Fraction, RowsJob
from factory_curators.common import TextCurator, filter_by_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BROKEN_CATEGORIES = ("Cc", "Co", "Cs")
"""Unicode categories that do not occur in sound text: controls, private use, lone surrogates."""
ALLOWED_CONTROLS = "\t\n\r"
REPLACEMENT_CHARACTER = "�"
MOJIBAKE_PATTERN = re.compile(r"Ã[\x80-\xbf¡-¿]|â€[\x80-\xbfœ™˜¦“”]|Â[\xa0-\xbf]|Ð[\x80-\xbf°-¿]Ñ")
"""UTF-8 decoded as Latin-1 or Windows-1252, such as `Ã©` for `é`."""
PLAIN, ODD, LETTER, SPACE = range(4)


class Characters(TextCurator):
    """Drops texts with non-printable characters, mojibake, or too few letters.

    Ratios refer to the characters other than white space.
    """

    kind = "characters"
    share_metric = "odd_characters"

    max_nonprintable_ratio: Fraction = Field(
        0.01, description="maximum share of control, private-use and replacement characters"
    )
    min_letter_ratio: Fraction = Field(0.25, description="minimum share of letters, marks and digits of any script")
    drop_mojibake: bool = Field(True, description="drop texts decoded with the wrong encoding, such as `cafÃ©`")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        yield from filter_by_text(job, self.text_columns, self._find_bad_characters)

    def _find_bad_characters(self, text: str) -> str:
        import numpy as np

        # Classify all code points of a text with one table lookup: a loop over characters is far slower.
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        plain, odd, letters, _ = np.bincount(_build_category_table()[codes], minlength=4).tolist()
        size = plain + odd + letters
        if size and odd > self.max_nonprintable_ratio * size:
            return "has control, private-use or replacement characters"
        if size and letters < self.min_letter_ratio * size:
            return "has too few letters and digits"
        return "was decoded with the wrong encoding" if self.drop_mojibake and MOJIBAKE_PATTERN.search(text) else ""


@cache
def _build_category_table() -> NDArray[np.uint8]:
    """Return the class of each code point: PLAIN, ODD, LETTER or SPACE."""
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
