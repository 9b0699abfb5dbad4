"""How attacks are scored: the best variant counts, an eval may refuse, and no text is embedded twice."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from rerank_parts import BASE, HashKit

from factory.api import Metric
from factory.errors import PluginError
from factory.evaluation.attacks import Attack, Outputs
from factory.stages.attack import MemoisingKit, score_attack

EXACT = Metric("exact", "whether it is right", binary=True)
RIGHT = ("Paris", "Rome")


def judge(outputs: Outputs) -> dict[str, dict[str, float]]:
    """Right where it holds the right word, however much else; no empty texts."""
    if not all(outputs):
        raise PluginError("eval 'words': an empty text")
    return {str(i): {"exact": float(right in said)} for i, (right, said) in enumerate(zip(RIGHT, outputs, strict=True))}


def attack(*variants: Outputs) -> Any:
    return score_attack(Attack("guess", "guesses", variants), judge, EXACT, RIGHT, judge(RIGHT))


def test_the_best_variant_counts_and_rows_that_another_text_wins_are_counted() -> None:
    result = attack(("Oslo", "Oslo"), ("Paris or Rome", "Paris or Rome"), ("paris!", "Rome"))
    assert (result.means, result.won, result.refused) == ({"exact": 1.0}, 2, "")
    assert (attack(("Paris", "Oslo")).means, attack(("Paris", "Oslo")).won) == ({"exact": 0.5}, 0)


def test_what_an_eval_refuses_is_no_attack_that_won() -> None:
    assert attack(("", "")).refused == "eval 'words': an empty text" and attack(("", "")).means == {}


def test_a_text_is_embedded_once() -> None:
    class Counting(HashKit):
        asked: ClassVar[list[str]] = []

        def embed(self, base: Any, texts: Sequence[str], report: Any = None) -> np.ndarray:
            self.asked.extend(texts)
            return super().embed(base, texts, report)

    kit = MemoisingKit(Counting())  # type: ignore[arg-type]
    first, second = kit.embed(BASE, ["a", "b", "a"]), kit.embed(BASE, ["c", "a"])
    assert Counting.asked == ["a", "b", "c"]
    assert np.array_equal(first, HashKit().embed(BASE, ["a", "b", "a"]))
    assert np.array_equal(second, HashKit().embed(BASE, ["c", "a"]))
