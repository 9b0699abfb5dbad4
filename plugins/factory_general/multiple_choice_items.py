"""Multiple-choice items, read from JSONL files in the formats of BLiMP, CommonsenseQA and GSM8K."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from factory.api import read_numbered_jsonl

CALCULATOR_MARK_PATTERN = re.compile(r"<<[^<>]*>>")
"""GSM8K's calculator annotations, such as `<<48+24=72>>`."""
WRONG_NUMBER_COUNT = 3

SuiteRecord = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MultipleChoiceItem:
    """Options that continue `prefix`, which is empty for whole sentences; `correct_index` is that of the correct one.

    With `per_token`, options are compared by log-probability per token, since they differ in length; else by the sum,
    for sentences that differ in one word.
    """

    id: str
    suite: str
    prefix: str
    options: Sequence[str]
    correct_index: int
    per_token: bool


def read_items(path: Path, suite: str, count: int, seed: int) -> list[MultipleChoiceItem]:
    """Return at most `count` items of a file, sampled with a seed. Raises ValueError with file, line and field."""
    items = []
    for line, record in read_numbered_jsonl(path, path.name):
        name = str(record.get("id", f"{suite}-{line}"))
        item: MultipleChoiceItem | None
        try:
            if "good" in record:  # two sentences, as in BLiMP (Warstadt et al. 2020)
                sentences = str(record["good"]), str(record["bad"])
                item = MultipleChoiceItem(name, suite, "", sentences, 0, per_token=False)
            elif "choices" in record:
                item = _parse_choice_item(record, name, suite)
            else:
                item = _parse_number_item(record, name, suite, seed)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{path.name}:{line}: not an item of a suite: {error!r}") from error
        if item is not None:
            items.append(item)
    chosen = range(len(items)) if len(items) <= count else sorted(Random(seed).sample(range(len(items)), count))
    return [items[index] for index in chosen]


def _parse_choice_item(record: SuiteRecord, name: str, suite: str) -> MultipleChoiceItem:
    """Parse a question with choices and the index of the correct one, as in CommonsenseQA."""
    options = tuple(f" {choice}" for choice in record["choices"])
    options[record["answer"]]  # an invalid index raises, and the caller names the line
    prefix = f"Question: {record['question']}\nAnswer:"
    return MultipleChoiceItem(name, suite, prefix, options, int(record["answer"]), per_token=True)


def _parse_number_item(record: SuiteRecord, name: str, suite: str, seed: int) -> MultipleChoiceItem | None:
    """Parse a word problem, as in GSM8K. The options continue its solution, cut before the last result; without a
    solution, they continue the question. Return None for an answer that is not a whole number above 0."""
    answer = str(record["answer"]).replace(",", "")
    if not answer.isdigit() or not int(answer):
        return None
    prefix = f"Question: {record['question']}\nAnswer:"
    solution = _trim_solution(str(record.get("solution", "")), answer)
    prefix += f" {solution}" if solution else " The answer is "
    space = " " if prefix.endswith(" ") else ""  # tokenizers expect the space with the word after it
    numbers = [int(answer), *draw_wrong_numbers(int(answer), Random(f"{seed}:{name}"))]
    options = tuple(f"{space}{number}" for number in numbers)
    return MultipleChoiceItem(name, suite, prefix.rstrip(" "), options, 0, per_token=True)


def _trim_solution(solution: str, answer: str) -> str:
    """Return a solution up to the last step that results in `answer`, without calculator marks; empty if none does."""
    for step in reversed(list(CALCULATOR_MARK_PATTERN.finditer(solution))):
        if step.group()[2:-2].rpartition("=")[2].replace(",", "") == answer:
            return CALCULATOR_MARK_PATTERN.sub("", solution[: step.start()])
    return ""


def draw_wrong_numbers(number: int, draw: Random) -> list[int]:
    """Draw three wrong numbers near a correct one, with as many digits if there are enough of those."""
    near = {number + step for step in (-10, -2, -1, 1, 2, 10)} | {2 * number, number // 2, int(str(number)[::-1])}
    wrong = sorted(candidate for candidate in near if candidate > 0 and candidate != number)
    same_length = [candidate for candidate in wrong if len(str(candidate)) == len(str(number))]
    return draw.sample(same_length if len(same_length) >= WRONG_NUMBER_COUNT else wrong, WRONG_NUMBER_COUNT)
