"""Degenerate answers, which no one would call right, and whether the deciding metric rewards them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from factory.api import Row, Task
from factory.api.label_sets import LABEL_SETS, build_certain_output, list_given_labels
from factory.review import RowContent

NEAR_SHARE = 0.8
"""Share of the way from the worst attack to the right answers from which an attack is warned of.

Beyond it, less than a fifth of the scale is left for what a specialist adds: a tuned model that is good, not perfect,
scores there too, and the metric can not tell the two apart.
"""
MAX_WON_SHARE = 0.02
"""Share of rows that an attack may win, by a binary metric, with another text than the right one."""
MAX_CONSTANTS = 8
"""Training answers that are tried as the one answer to every row."""
PADDING_COUNTS = (1, 3, 6)
"""How often a set phrase is repeated on both sides of an input."""
SENTENCE_BREAK = re.compile(r"(?<=[.!?…])\s+")

Outputs = tuple[Any, ...]
"""One output for each row."""


@dataclass(frozen=True, slots=True)
class Attack:
    """Answers that need no model, and what they are; of several `variants` the one that scores best counts."""

    name: str
    what: str
    variants: tuple[Outputs, ...]


@dataclass(frozen=True, slots=True)
class AttackResult:
    """The mean of every metric under one attack, and how many rows it wins with another text than the right one.

    `refused` is why the eval would not score such answers.
    """

    name: str
    what: str
    means: Mapping[str, float]
    won: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class AttackReport:
    """The deciding metric under all attacks, beside the right answers to the same rows."""

    metric: str
    higher_is_better: bool
    rows: int
    right: Mapping[str, float]
    attacks: tuple[AttackResult, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> AttackReport:
        return cls(**{**payload, "attacks": tuple(AttackResult(**attack) for attack in payload["attacks"])})

    def rank_attacks(self) -> list[AttackResult]:
        """Return the attacks, those that score best first and those that were refused last."""
        refused = [attack for attack in self.attacks if attack.refused]
        scored = [attack for attack in self.attacks if not attack.refused]
        return [*sorted(scored, key=lambda attack: -self.compute_share(attack.means)), *refused]

    @property
    def worst(self) -> float:
        """The deciding metric of the worst attack."""
        scored = [attack.means[self.metric] for attack in self.attacks if not attack.refused]
        return min(scored) if self.higher_is_better else max(scored)

    @property
    def has_span(self) -> bool:
        """Whether the right answers score better than the worst attack."""
        right = self.right[self.metric]
        return right > self.worst if self.higher_is_better else right < self.worst

    def compute_share(self, means: Mapping[str, float]) -> float:
        """Return how far means lie on the way from the worst attack (0) to the right answers (1).

        It is above 1 for what beats the right answers, and 1 for all where these are no better than the worst.
        """
        if not self.has_span:
            return 1.0
        return (means[self.metric] - self.worst) / (self.right[self.metric] - self.worst)

    def is_near(self, attack: AttackResult) -> bool:
        """Whether the metric takes these answers nearly for right ones."""
        return not attack.refused and self.compute_share(attack.means) >= NEAR_SHARE

    def wins_rows(self, attack: AttackResult) -> bool:
        """Whether the metric takes these answers for right ones on more rows than chance would explain."""
        return attack.won > MAX_WON_SHARE * self.rows


def build_attacks(task: Task, rows: Sequence[Row], right: Outputs, train: Sequence[Row]) -> list[Attack]:
    """Return the attacks that fit the task's answers; `right` are the right outputs for `rows`.

    Texts and labels of training rows that have none, such as those that a teacher is yet to label, are left out.
    """
    if task.output_type == "ranking":
        return list(_attack_rankings(right))
    # Shifted by one, answers keep their form and frequencies and lose what they are about.
    another = Attack("another row's", "the right answer to another row", (right[1:] + right[:1],))
    if task.output_type == LABEL_SETS:
        known = [task.build_expected_output(row) for row in train]
        return [*_attack_label_sets([*known, *right], len(rows)), another]
    known = [output for output in map(task.build_expected_output, train) if has_content(output)]
    if task.output_type == "labels":
        return [*_attack_labels(task, [*known, *right], len(rows)), another]
    texts = [*_attack_texts(task, rows), *_pad_inputs(task, rows, known)] if task.output_type == "text" else []
    return [*texts, *_repeat_training_answers(known, len(rows)), another]


def has_content(output: Any) -> bool:
    """Return whether an output says something: a text with letters, a label with a name, a set of
    labels, or any other value."""
    texts = [output] if isinstance(output, str) else list(output) if isinstance(output, Mapping) else ["value"]
    return output == {} or any(str(text).strip() for text in texts)


def _attack_rankings(right: Outputs) -> Iterator[Attack]:
    lengths = [range(len(scores)) for scores in right]
    yield Attack("first stage", "the order of the candidates", (tuple([-float(i) for i in one] for one in lengths),))
    yield Attack("reversed", "the candidates in reverse", (tuple([float(i) for i in one] for one in lengths),))
    yield Attack("constant", "the same score for every candidate", (tuple([0.0] * len(one) for one in lengths),))


def _attack_labels(task: Task, known: Sequence[Mapping[str, float]], count: int) -> Iterator[Attack]:
    """Yield answers that are the same for all rows; `known` are right answers."""
    counts = Counter(max(output, key=lambda label: output[label]) for output in known)
    labels, majority = sorted(counts), min(counts, key=lambda label: (-counts[label], label))
    rarest = min(counts, key=lambda label: (counts[label], label))
    frequencies = {label: counts[label] / counts.total() for label in labels}
    yield Attack("majority", "the most frequent label, for sure", (({majority: 1.0},) * count,))
    yield Attack("frequencies", "every label as probable as it is frequent", ((frequencies,) * count,))
    yield Attack("uniform", "every label equally probable", ((dict.fromkeys(labels, 1 / len(labels)),) * count,))
    yield Attack("constant", "the rarest label, for sure", (({rarest: 1.0},) * count,))


def _attack_label_sets(known: Sequence[Mapping[str, Sequence[float]]], count: int) -> Iterator[Attack]:
    """Yield sets of labels that are the same for all rows; `known` are right answers."""
    sets = Counter(list_given_labels(output) for output in known)
    labels = sorted({label for given in sets for label in given})
    rows = Counter({label: sum(n for given, n in sets.items() if label in given) for label in labels})
    order = [label for label, _ in sorted(rows.items(), key=lambda item: (-item[1], item[0]))]
    often = min(sets, key=lambda given: (-sets[given], given))
    frequent = [order[:size] for size in range(1, min(MAX_CONSTANTS, len(order)) + 1)]
    for name, what, variants in (
        ("empty", "no label", [()]), ("everything", "all labels", [labels]),
        ("most frequent", "the most frequent set of labels, to all rows", [often]),
        ("frequent labels", f"the most frequent labels, the best of 1 to {len(frequent)}", frequent),
    ):
        yield Attack(name, what, tuple((build_certain_output(labels, given),) * count for given in variants))


def _attack_texts(task: Task, rows: Sequence[Row]) -> Iterator[Attack]:
    """Yield the empty text and texts made of the input alone."""
    yield Attack("empty", "an empty text", (("",) * len(rows),))
    for name, outputs in _list_copies(task, rows):
        yield Attack(f"copy of {name}", f"the column {name}", (outputs,))
    content = RowContent.from_task(task)
    joined = tuple(" ".join(_iterate_texts(content.select_inputs(row).values())) for row in rows)
    yield Attack("everything", "all columns of the input, joined", (joined,))


def _pad_inputs(task: Task, rows: Sequence[Row], known: Sequence[str]) -> Iterator[Attack]:
    """Yield input columns between the sentences with which training answers most often begin and end."""
    parts = [parts for text in known if len(parts := SENTENCE_BREAK.split(text.strip())) > 1]
    if not parts:
        return
    (first, often), (last, _) = (Counter(each[i] for each in parts).most_common(1)[0] for i in (0, -1))
    if often == 1:  # answers without a set phrase
        return
    for name, outputs in _list_copies(task, rows):
        variants = tuple(tuple(" ".join([first] * n + [text] + [last] * n) for text in outputs) for n in PADDING_COUNTS)
        yield Attack(f"padded {name}", f"the column {name} between set phrases of training answers", variants)


def _list_copies(task: Task, rows: Sequence[Row]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the columns of the input that are texts, each with its values."""
    inputs = [RowContent.from_task(task).select_inputs(row) for row in rows]
    names = [name for name in inputs[0] if all(isinstance(each.get(name), str) for each in inputs)]
    return [(name, tuple(each[name] for each in inputs)) for name in names]


def _iterate_texts(value: Any) -> Iterator[str]:
    """Yield all texts in a nested value, in their order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _iterate_texts(item)


def _repeat_training_answers(known: Sequence[Any], count: int) -> Iterator[Attack]:
    """Yield single training answers, each as the answer to all rows."""
    if not known:
        return
    by_text = {str(output): output for output in known}
    counts = Counter(map(str, known))
    longest = max(by_text, key=lambda text: (len(text), text))
    frequent = min(counts, key=lambda text: (-counts[text], text))
    constants = list(by_text)[:: -(-len(by_text) // MAX_CONSTANTS)]
    for name, what, texts in (
        ("longest", "the longest training answer, to all rows", [longest]),
        ("most frequent", "the most frequent training answer, to all rows", [frequent]),
        ("constant", f"one training answer to all rows, the best of {len(constants)}", constants),
    ):
        yield Attack(name, what, tuple((by_text[text],) * count for text in texts))
