"""Which names of a collection of texts may stand for each other: found by where they stand, without a model."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from factory_synth.text_features import SENTENCE_END, STOP_WORDS

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WIDE_REGIONS = frozenset(("Europe", "Asia", "Africa", "America", "Americas", "Oceania", "Earth", "World"))
"""What holds of a place in them holds of them too."""

CAPITALISED_WORD = r"[A-Z](?:[\w&]|[-’'](?=[A-Z\d]))*"
ENTITY_PATTERN = re.compile(rf"(?<![\w/-]){CAPITALISED_WORD}(?: (?:(?:of|the|de|von|van) )?{CAPITALISED_WORD})*(?![\w/-])")
LIST_SEPARATOR = re.compile(r"^(?:,|,? and|,? or|,? nor| versus| vs\.?| than) $")
PLACE_PREPOSITIONS = frozenset(("in", "at", "from", "near"))
WORD_BEFORE, WORD_AFTER = re.compile(r"([A-Za-z]+) $"), re.compile(r"^(?:['’]s)? ([a-z]+)")
COMMON_PREFIX_LETTERS = 5
"""Letters from which on two words are taken for forms of one: Antarctic, Antarctica."""

MIN_PLACE_COUNT = 2
"""One occurrence after `in` makes no place: "in Google we trust"."""

NameContext = tuple[str, str]


def find_entities(text: str) -> Iterator[tuple[int, str]]:
    """Names and where they stand, without months and weekdays.

    The first word of a sentence counts only within a longer name or in capitals. Function words in front are cut off.
    """
    starts = {0, *(match.end() for match in SENTENCE_END.finditer(text))}
    for match in ENTITY_PATTERN.finditer(text):
        at, name = match.start(), match.group()
        first = at in starts or not text[max(at - 2, 0) : at].strip(" \"'“‘([")
        while " " in name and name.split()[0].lower() in STOP_WORDS:
            at, name, first = at + name.index(" ") + 1, name.partition(" ")[2], False
        if first and " " not in name and not (name.isupper() and len(name) > 1):
            continue
        if len(name) > 1 and not {*name.split()} & {*MONTHS, *DAYS} and name.lower() not in STOP_WORDS:
            yield at, name


@dataclass(frozen=True, slots=True)
class EntityIndex:
    """The names in some texts: what each stands beside, and with which it stands in one list."""

    names_by_context: dict[NameContext, list[str]]
    list_neighbours: dict[str, list[str]]

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> EntityIndex:
        """Read the texts. A name all of whose words also stand without a capital somewhere is none."""
        read = list(dict.fromkeys(texts))
        plain = {word for text in read for word in re.findall(r"(?<![\w-])[a-z]+(?![\w-])", text)}
        beside: defaultdict[NameContext, Counter[str]] = defaultdict(Counter)
        listed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for text in read:
            found = [each for each in find_entities(text) if not all(word.lower() in plain for word in each[1].split())]
            for at, name in found:
                for context in _find_name_contexts(text, at, name):
                    beside[context][name] += 1
            for one, other in _iter_list_neighbours(text, found):
                listed[one][other] = listed[other][one] = None
        return cls(
            {context: sorted(name for name, count in names.items() if count >= MIN_PLACE_COUNT or context[0] != "place")
             for context, names in sorted(beside.items())},
            {name: sorted(others) for name, others in sorted(listed.items())},
        )

    def find_replacements(self, text: str, at: int, name: str) -> list[str]:
        """Names that may stand in this one's place: of one list with it, or beside the same word elsewhere."""
        beside = [other for context in _find_name_contexts(text, at, name) for other in self.names_by_context.get(context, ())]
        found = dict.fromkeys([*self.list_neighbours.get(name, ()), *beside])
        return [other for other in found if _get_name_shape(other) == _get_name_shape(name) and not can_be_same_name(name, other)]


def can_be_same_name(one: str, other: str) -> bool:
    """Whether two names may mean the same: words that begin alike, initials of the other, or one within the other."""
    first, second = (_fold_entity_name(name) for name in (one, other))
    if other in WIDE_REGIONS or first in second or second in first:
        return True
    mine, theirs = ({word[:COMMON_PREFIX_LETTERS] for word in name.split()} for name in (first, second))
    return bool(mine & theirs) or _extract_initials(one) == other or _extract_initials(other) == one


def _fold_entity_name(name: str) -> str:
    """In one form: small letters, no subscripts, and the digit that is often typed for a letter as that letter."""
    return unicodedata.normalize("NFKC", name).casefold().replace("0", "o")


def _extract_initials(name: str) -> str:
    return "".join(word[0] for word in name.split() if word[0].isupper())


def _get_name_shape(name: str) -> tuple[int, bool, bool, bool]:
    """Words, whether all are capitals or some within a word, whether a digit is in it."""
    inner = any(letter.isupper() for word in name.split() for letter in word[1:])
    return len(name.split()), name.isupper(), inner, any(letter.isdigit() for letter in name)


def _find_name_contexts(text: str, at: int, name: str) -> list[NameContext]:
    """The content word before a name and after it, or the preposition that makes it a place."""
    left, right = WORD_BEFORE.search(text[max(at - 30, 0) : at]), WORD_AFTER.match(text[at + len(name) : at + len(name) + 30])
    found = []
    if left and left.group(1) in PLACE_PREPOSITIONS:
        found.append(("place", ""))
    elif left and left.group(1).islower() and left.group(1) not in STOP_WORDS and left.group(1) != "degrees":
        found.append(("left", left.group(1)))
    if right and right.group(1) not in STOP_WORDS:
        found.append(("right", right.group(1)))
    return found


def _iter_list_neighbours(text: str, found: list[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """Names that stand in one list: only a comma or `and` is between them."""
    for (at, one), (after, other) in pairwise(found):
        if LIST_SEPARATOR.match(text[at + len(one) : after]):
            yield one, other
