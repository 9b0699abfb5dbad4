"""Questions with a few answers, one of them right, read from files in the forms in which such suites come."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from factory.api import read_numbered_jsonl

CALCULATOR_MARK_PATTERN = re.compile(r"<<[^<>]*>>")
WRONG_NUMBER_COUNT = 3
"""Wrong numbers beside the right one."""

SuiteRecord = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MultipleChoiceItem:
    """`prefix` is what stands before the options, nothing for whole sentences; `right` is the place of the right one.

    `mean`: options are held against each other by log-probability per token, as they differ in length and sense; else
    by its sum, as sentences that differ in a word are.
    """

    id: str
    suite: str
    prefix: str
    options: Sequence[str]
    correct_index: int
    per_token: bool


def read_items(path: Path, suite: str, count: int, seed: int) -> list[MultipleChoiceItem]:
    """At most `count` items of a file, drawn with a seed. Raises ValueError that names file, line and field."""
    items = []
    for line, record in read_numbered_jsonl(path, path.name):
        name = str(record.get("id", f"{suite}-{line}"))
        try:
            item = _choose_item_parser(record)(record, name, suite, seed)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{path.name}:{line}: not an item of a suite: {error!r}") from error
        if item is not None:
            items.append(item)
    chosen = range(len(items)) if len(items) <= count else sorted(Random(seed).sample(range(len(items)), count))
    return [items[place] for place in chosen]


def _choose_item_parser(record: SuiteRecord) -> Callable[[SuiteRecord, str, str, int], MultipleChoiceItem | None]:
    if "good" in record:
        return _parse_sentence_pair
    return _parse_choice_item if "choices" in record else _parse_number_item


def _parse_sentence_pair(record: SuiteRecord, name: str, suite: str, seed: int) -> MultipleChoiceItem:
    """Two sentences, as in BLiMP (Warstadt et al. 2020): which is likelier?"""
    return MultipleChoiceItem(name, suite, "", (str(record["good"]), str(record["bad"])), 0, per_token=False)


def _parse_choice_item(record: SuiteRecord, name: str, suite: str, seed: int) -> MultipleChoiceItem:
    """A question with choices and the place of the right one, as in CommonsenseQA."""
    options = tuple(f" {choice}" for choice in record["choices"])
    options[record["answer"]]
    return MultipleChoiceItem(
        name, suite, f"Question: {record['question']}\nAnswer:", options, int(record["answer"]), per_token=True
    )


def _parse_number_item(record: SuiteRecord, name: str, suite: str, seed: int) -> MultipleChoiceItem | None:
    """A sum in words with its number, as in GSM8K: the last step of the solution up to its result, or the question
    alone; which number goes on? None for an answer that is no whole number above 0."""
    said = str(record["answer"]).replace(",", "")
    if not said.isdigit() or not int(said):
        return None
    prefix = f"Question: {record['question']}\nAnswer:"
    worked = _trim_solution(str(record.get("solution", "")), said)
    prefix += f" {worked}" if worked else " The answer is "
    space = " " if prefix.endswith(" ") else ""
    numbers = [int(said), *draw_wrong_numbers(int(said), Random(f"{seed}:{name}"))]
    return MultipleChoiceItem(
        name, suite, prefix.rstrip(" "), tuple(f"{space}{number}" for number in numbers), 0, per_token=True
    )


def _trim_solution(solution: str, said: str) -> str:
    """A solution up to where its last step gives the answer, without the calculator's marks; else nothing."""
    for step in reversed(list(CALCULATOR_MARK_PATTERN.finditer(solution))):
        if step.group()[2:-2].rpartition("=")[2].replace(",", "") == said:
            return CALCULATOR_MARK_PATTERN.sub("", solution[: step.start()])
    return ""


def draw_wrong_numbers(number: int, draw: Random) -> list[int]:
    """Three wrong numbers near a right one, as long as it is where there are enough such."""
    near = {number + step for step in (-10, -2, -1, 1, 2, 10)} | {2 * number, number // 2, int(str(number)[::-1])}
    wrong = sorted(near - {number, 0} - {each for each in near if each < 0})
    alike = [each for each in wrong if len(str(each)) == len(str(number))]
    return draw.sample(alike if len(alike) >= WRONG_NUMBER_COUNT else wrong, WRONG_NUMBER_COUNT)
