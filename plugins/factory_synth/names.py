"""Which names of a collection of texts may stand for each other: found by where they stand, without a model."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from factory_synth.texts import END, STOP

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WIDE = frozenset(("Europe", "Asia", "Africa", "America", "Americas", "Oceania", "Earth", "World"))
"""What holds of a place in them holds of them too."""

CAPITAL = r"[A-Z](?:[\w&]|[-’'](?=[A-Z\d]))*"
ENTITY = re.compile(rf"(?<![\w/-]){CAPITAL}(?: (?:(?:of|the|de|von|van) )?{CAPITAL})*(?![\w/-])")
TOGETHER = re.compile(r"^(?:,|,? and|,? or|,? nor| versus| vs\.?| than) $")
PLACING = frozenset(("in", "at", "from", "near"))
LEFT, RIGHT = re.compile(r"([A-Za-z]+) $"), re.compile(r"^(?:['’]s)? ([a-z]+)")
ALIKE = 5
"""Letters from which on two words are taken for forms of one: Antarctic, Antarctica."""

TWICE = 2
"""One occurrence after `in` makes no place: "in Google we trust"."""

Context = tuple[str, str]


def entities(text: str) -> Iterator[tuple[int, str]]:
    """Names and where they stand, without months and weekdays.

    The first word of a sentence counts only within a longer name or in capitals. Function words in front are cut off.
    """
    starts = {0, *(match.end() for match in END.finditer(text))}
    for match in ENTITY.finditer(text):
        at, name = match.start(), match.group()
        first = at in starts or not text[max(at - 2, 0) : at].strip(" \"'“‘([")
        while " " in name and name.split()[0].lower() in STOP:
            at, name, first = at + name.index(" ") + 1, name.partition(" ")[2], False
        if first and " " not in name and not (name.isupper() and len(name) > 1):
            continue
        if len(name) > 1 and not {*name.split()} & {*MONTHS, *DAYS} and name.lower() not in STOP:
            yield at, name


@dataclass(frozen=True, slots=True)
class Names:
    """The names in some texts: what each stands beside, and with which it stands in one list."""

    contexts: dict[Context, list[str]]
    listed: dict[str, list[str]]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Names:
        """Read the texts. A name all of whose words also stand without a capital somewhere is none."""
        read = list(dict.fromkeys(texts))
        plain = {word for text in read for word in re.findall(r"(?<![\w-])[a-z]+(?![\w-])", text)}
        beside: defaultdict[Context, Counter[str]] = defaultdict(Counter)
        listed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for text in read:
            found = [each for each in entities(text) if not all(word.lower() in plain for word in each[1].split())]
            for at, name in found:
                for context in _contexts(text, at, name):
                    beside[context][name] += 1
            for one, other in _neighbours(text, found):
                listed[one][other] = listed[other][one] = None
        return cls(
            {context: sorted(name for name, count in names.items() if count >= TWICE or context[0] != "place")
             for context, names in sorted(beside.items())},
            {name: sorted(others) for name, others in sorted(listed.items())},
        )

    def like(self, text: str, at: int, name: str) -> list[str]:
        """Names that may stand in this one's place: of one list with it, or beside the same word elsewhere."""
        beside = [other for context in _contexts(text, at, name) for other in self.contexts.get(context, ())]
        found = dict.fromkeys([*self.listed.get(name, ()), *beside])
        return [other for other in found if _shape(other) == _shape(name) and not akin(name, other)]


def akin(one: str, other: str) -> bool:
    """Whether two names may mean the same: words that begin alike, initials of the other, or one within the other."""
    first, second = (_plain(name) for name in (one, other))
    if other in WIDE or first in second or second in first:
        return True
    mine, theirs = ({word[:ALIKE] for word in name.split()} for name in (first, second))
    return bool(mine & theirs) or _initials(one) == other or _initials(other) == one


def _plain(name: str) -> str:
    """In one form: small letters, no subscripts, and the digit that is often typed for a letter as that letter."""
    return unicodedata.normalize("NFKC", name).casefold().replace("0", "o")


def _initials(name: str) -> str:
    return "".join(word[0] for word in name.split() if word[0].isupper())


def _shape(name: str) -> tuple[int, bool, bool, bool]:
    """Words, whether all are capitals or some within a word, whether a digit is in it."""
    inner = any(letter.isupper() for word in name.split() for letter in word[1:])
    return len(name.split()), name.isupper(), inner, any(letter.isdigit() for letter in name)


def _contexts(text: str, at: int, name: str) -> list[Context]:
    """The content word before a name and after it, or the preposition that makes it a place."""
    left, right = LEFT.search(text[max(at - 30, 0) : at]), RIGHT.match(text[at + len(name) : at + len(name) + 30])
    found = []
    if left and left.group(1) in PLACING:
        found.append(("place", ""))
    elif left and left.group(1).islower() and left.group(1) not in STOP and left.group(1) != "degrees":
        found.append(("left", left.group(1)))
    if right and right.group(1) not in STOP:
        found.append(("right", right.group(1)))
    return found


def _neighbours(text: str, found: list[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """Names that stand in one list: only a comma or `and` is between them."""
    for (at, one), (after, other) in pairwise(found):
        if TOGETHER.match(text[at + len(one) : after]):
            yield one, other
