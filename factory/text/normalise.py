"""The normal forms in which texts are compared: with signs and operators, and by words alone.

Two texts are the same if their `normalise` is: curators, conflicts, exact matches and labels use it. What must not be
weaker than that, the search for leaks and the groups of rows, compares `normalise_words`, in which more texts agree.
Invisible characters count in neither: tokenizers drop them, so that a copy with a soft hyphen in it is a copy.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

INVISIBLE_PATTERN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Characters without a shape of their own: format characters (Unicode category Cf), the other ones that Unicode calls
default ignorable (variation selectors, fillers), which NFKC_Casefold drops too, and controls but white space."""
NON_WORD_PATTERN = re.compile(r"[\W_]+")
DASHES = str.maketrans({**dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"), "\u2044": "/"})
"""Hyphens, dashes and the minus sign are one character beside a number; NFKC writes ½ with a fraction slash."""
MEANINGFUL_PATTERN = re.compile(
    r"[<>=≤≥≠≈±×÷+^%‰°$€£¥#]|[-\u2010-\u2014\u2212\u2044.,:/*]\d|\d\s+[-\u2010-\u2014\u2212*/]\s|\w[*]\w"
)
"""What a text must contain for a sign or an operator to count; most texts are done after this look."""
COMPARISON_PATTERN = re.compile(r"!=|[<>=≤≥≠≈±×÷]+")
SUFFIX_PATTERN = re.compile(r"(\+\+|\+|#)(?=$|[\s.,;:!?)\]}'\"/&])")
"""Signs that belong to the letter or digit before them: C++, C#, A+, 18+."""
UNIT_PATTERN = re.compile(r"[%‰°$€£¥]")
SEPARATORS = frozenset(".,:/")
"""Characters that belong to a number between two digits: 3.5, 3,5, 10:30, 1/2."""
SPACED_OPERATORS = frozenset("-*/")
"""Operators between two digits, with or without spaces; between words these are punctuation."""


def normalise(text: str) -> str:
    """Case-folded NFKC form in which white space and punctuation are one space, but signs and operators stay.

    Kept are comparisons (<, =, ≥), the signs of numbers, + - * / between numbers, + * ^ between letters, the points and
    commas in numbers, %, ° and currencies beside numbers, and the signs at the end of C++, C# or A+: "price > 5" is not
    "price < 5", nor "-5" "5", nor "3.5" "3,5". A text that is all punctuation keeps it: "+" and "-" are different.
    """
    folded = _fold_text(text)
    if not MEANINGFUL_PATTERN.search(folded):
        return _join_words(folded)
    words = NON_WORD_PATTERN.sub(lambda run: _keep_signs(run, folded), folded)
    return " ".join(words.split()) if NON_WORD_PATTERN.sub("", folded) else " ".join(folded.split())


def normalise_words(text: str) -> str:
    """Case-folded NFKC form in which every run of white space and punctuation, signs included, is one space.

    A text that is all punctuation keeps it. Equal texts by `normalise` are equal here too.
    """
    return _join_words(_fold_text(text))


def remove_invisible(text: str) -> str:
    """Return a text without the characters that have no shape of their own: zero-width spaces, soft hyphens, marks."""
    if text.isascii() and text.isprintable():  # most texts: the search below takes a sixth of the time of `normalise`
        return text
    return INVISIBLE_PATTERN.sub("", text)


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: it has only white space and invisible characters."""
    return not remove_invisible(text).strip()


def _fold_text(text: str) -> str:
    # Case folding can produce characters that NFKC changes again, so normalise on both sides of it.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", remove_invisible(text)).casefold())


def _join_words(folded: str) -> str:
    return NON_WORD_PATTERN.sub(" ", folded).strip() or " ".join(folded.split())


def _keep_signs(match: re.Match[str], text: str) -> str:
    """Return what stays of a run of white space and punctuation: a space, or the signs and operators in it."""
    run = match[0]
    if run == " ":
        return run
    run = run.translate(DASHES)
    left, right = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    is_between_digits = left.isdigit() and right.isdigit()
    if is_between_digits and run in SEPARATORS:
        return run
    if is_between_digits and run.strip() in SPACED_OPERATORS:
        return f" {run.strip()} "
    if left and right and (run.strip() == "+" or run in ("*", "^")):
        return f" {run.strip()} " if run.strip() == "+" else run
    return _keep_attached_signs(run, left, right)


def _keep_attached_signs(run: str, left: str, right: str) -> str:
    """Return the signs that belong to the word before (`left`) or the number after (`right`), and comparisons."""
    suffix = SUFFIX_PATTERN.match(run) if left else None
    kept = suffix[1] if suffix else ""
    run = run[len(kept):]
    sign = _find_sign(run, "" if kept else left, right)
    run = run.removesuffix(sign)
    for number, line in enumerate(run.splitlines() or [""]):
        # A comparison at the beginning of a line, as in a quotation, is one only before a number.
        if (left and not number and line.strip()) or right.isdigit():
            kept += "".join(f" {operator} " for operator in COMPARISON_PATTERN.findall(line))
    if left.isdigit() or right.isdigit():
        kept += "".join(f" {unit} " for unit in UNIT_PATTERN.findall(run))
    return f"{kept} {sign}"


def _find_sign(run: str, left: str, right: str) -> str:
    """Return the sign of the number that follows: +, -, a point or # directly before it, and not after a word."""
    if not right.isdigit():
        return ""
    sign = re.search(r"[+-]?[.]?$|#$", run)
    found = sign[0] if sign else ""
    return found if found and (not left or len(found) < len(run)) else ""


def join_text_columns(columns: Mapping[str, object], names: Iterable[str] = ()) -> str:
    """Join the named columns, or all text columns, with newlines. Raises ValueError if a column is missing."""
    chosen = list(names) or sorted(name for name, value in columns.items() if isinstance(value, str))
    missing = [name for name in chosen if name not in columns]
    if missing:
        raise ValueError(f"rows have no column {missing[0]!r}; they have {', '.join(columns)}")
    return "\n".join(str(columns[name]) for name in chosen)
