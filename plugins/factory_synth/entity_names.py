"""Find names in English texts and which of them are interchangeable, by their contexts and without a model."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from factory_synth.text_features import SENTENCE_END, STOP_WORDS

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WIDE_REGIONS = frozenset(("Europe", "Asia", "Africa", "America", "Americas", "Oceania", "Earth", "World"))
"""Regions never used as replacements: a claim about a place may also hold for a region that contains it."""

CAPITALISED_WORD = r"[A-Z](?:[\w&]|[-’'](?=[A-Z\d]))*"
ENTITY_PATTERN = re.compile(
    rf"(?<![\w/-]){CAPITALISED_WORD}(?: (?:(?:of|the|de|von|van) )?{CAPITALISED_WORD})*(?![\w/-])"
)
LIST_SEPARATOR = re.compile(r"^(?:,|,? and|,? or|,? nor| versus| vs\.?| than) $")
PLACE_PREPOSITIONS = frozenset(("in", "at", "from", "near"))
WORD_BEFORE, WORD_AFTER = re.compile(r"([A-Za-z]+) $"), re.compile(r"^(?:['’]s)? ([a-z]+)")
COMMON_PREFIX_LETTERS = 5
"""Words that share this many first letters count as forms of one word: Antarctic, Antarctica."""

MIN_PLACE_COUNT = 2
"""Occurrences after a preposition that make a name a place; a single one may be "in Google we trust"."""

NameContext = tuple[str, str]


def find_entities(text: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, name), without months and weekdays.

    The first word of a sentence counts only inside a longer name or in capitals; leading stop words are cut off.
    """
    starts = {0, *(match.end() for match in SENTENCE_END.finditer(text))}
    for match in ENTITY_PATTERN.finditer(text):
        at, name = match.start(), match.group()
        starts_sentence = at in starts or not text[max(at - 2, 0) : at].strip(" \"'“‘([")
        while " " in name and name.split()[0].lower() in STOP_WORDS:
            at, name, starts_sentence = at + name.index(" ") + 1, name.partition(" ")[2], False
        if starts_sentence and " " not in name and not (name.isupper() and len(name) > 1):
            continue
        if len(name) > 1 and not {*name.split()} & {*MONTHS, *DAYS} and name.lower() not in STOP_WORDS:
            yield at, name


@dataclass(frozen=True, slots=True)
class EntityIndex:
    """Names of a text collection, by their contexts and by the names listed beside them."""

    names_by_context: dict[NameContext, list[str]]
    list_neighbours: dict[str, list[str]]

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> EntityIndex:
        """Index the texts. A name whose words all occur in lower case somewhere is not a name."""
        unique_texts = list(dict.fromkeys(texts))
        lowercase = {word for text in unique_texts for word in re.findall(r"(?<![\w-])[a-z]+(?![\w-])", text)}
        counts: defaultdict[NameContext, Counter[str]] = defaultdict(Counter)
        listed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for text in unique_texts:
            entities = [(at, name) for at, name in find_entities(text)
                        if not all(word.lower() in lowercase for word in name.split())]
            for at, name in entities:
                for context in _find_name_contexts(text, at, name):
                    counts[context][name] += 1
            for (at, name), (after, other) in pairwise(entities):
                if LIST_SEPARATOR.match(text[at + len(name) : after]):
                    listed[name][other] = listed[other][name] = None
        return cls(
            {context: sorted(name for name, count in names.items() if count >= MIN_PLACE_COUNT or context[0] != "place")
             for context, names in sorted(counts.items())},
            {name: sorted(others) for name, others in sorted(listed.items())},
        )

    def find_replacements(self, text: str, at: int, name: str) -> list[str]:
        """Find names of the same shape that are listed with this one, or occur in the same context elsewhere."""
        contexts = _find_name_contexts(text, at, name)
        in_context = [other for context in contexts for other in self.names_by_context.get(context, ())]
        candidates = dict.fromkeys([*self.list_neighbours.get(name, ()), *in_context])
        return [other for other in candidates
                if _get_name_shape(other) == _get_name_shape(name) and not can_be_same_name(name, other)]


def can_be_same_name(name: str, other: str) -> bool:
    """Return whether two names may mean the same: a shared prefix, initials of the other, or one inside the other."""
    # Fold case and subscripts, and read a zero as the letter it is often typed for.
    first, second = (unicodedata.normalize("NFKC", text).casefold().replace("0", "o") for text in (name, other))
    if other in WIDE_REGIONS or first in second or second in first:
        return True
    prefixes, other_prefixes = ({word[:COMMON_PREFIX_LETTERS] for word in text.split()} for text in (first, second))
    initials, other_initials = ("".join(w[0] for w in text.split() if w[0].isupper()) for text in (name, other))
    return bool(prefixes & other_prefixes) or initials == other or other_initials == name


def _get_name_shape(name: str) -> tuple[int, bool, bool, bool]:
    """Return (words, all capitals, capitals inside a word, contains a digit)."""
    inner = any(letter.isupper() for word in name.split() for letter in word[1:])
    return len(name.split()), name.isupper(), inner, any(letter.isdigit() for letter in name)


def _find_name_contexts(text: str, at: int, name: str) -> list[NameContext]:
    """Find the content words around a name, or the preposition that makes it a place."""
    left = WORD_BEFORE.search(text[max(at - 30, 0) : at])
    right = WORD_AFTER.match(text[at + len(name) : at + len(name) + 30])
    contexts = []
    if left and left.group(1) in PLACE_PREPOSITIONS:
        contexts.append(("place", ""))
    elif left and left.group(1).islower() and left.group(1) not in STOP_WORDS and left.group(1) != "degrees":
        contexts.append(("left", left.group(1)))
    if right and right.group(1) not in STOP_WORDS:
        contexts.append(("right", right.group(1)))
    return contexts
