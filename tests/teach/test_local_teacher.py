"""A base of this machine as a teacher: the same answers whoever asks beside, kept as those of an endpoint are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from teach_parts import ask, statuses
from tiny_decoder import tiny_decoder

from factory.api import Base, Kit
from factory.errors import UnavailableError
from factory.llm import BudgetTerms, TeacherPool
from factory.ml.kit import load_kit

MOODS = ("glad", "sad", "in between")


class Small(BaseModel):
    """A form that even a model of noise can fill in."""

    sure: bool
    word: Annotated[str, Field(max_length=3)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"))


def nobody() -> Kit:
    raise AssertionError("the model was asked")


def teacher(base: Base, home: Path, kit: Any = load_kit, **terms: Any) -> Any:
    return TeacherPool(home, BudgetTerms("test", **terms), kit).get_teacher(base)


def test_a_choice_is_the_likeliest_one(base: Base, tmp_path: Path) -> None:
    replies = list(teacher(base, tmp_path).ask(ask(text, choices=MOODS) for text in ["how?", "why?", "how?"]))
    decoder = load_kit().load_decoder(base)
    said = f"how?\n\nAnswer with one of these, and nothing else: {' | '.join(MOODS)}"
    weights = decoder.compute_choice_logprobs(
        [decoder.tokenize_chat(ask(said).messages)], [[decoder.tokenize_answer(mood) for mood in MOODS]]
    )[0]
    assert replies[0].text == MOODS[weights.index(max(weights))]
    assert replies[0] == replies[2] and replies[0].input_tokens > 20 and replies[0].model == base.id
    assert statuses(tmp_path) == ["ok", "ok"]


def test_votes_differ_by_draw_and_are_drawn_alike_again(base: Base, tmp_path: Path) -> None:
    votes = [ask("how?", choices=MOODS, temperature=40.0, sample_index=draw) for draw in range(40)]
    first = [reply.text for reply in teacher(base, tmp_path / "one").ask(votes)]
    again = [reply.text for reply in teacher(base, tmp_path / "other").ask(reversed(votes))]
    assert again[::-1] == first and len(Counter(first)) == 3


def test_texts_are_drawn_from_their_seed_whoever_is_beside_them(base: Base, tmp_path: Path) -> None:
    asks = [
        ask(text, temperature=1.0, sample_index=draw, max_tokens=6) for text in ["how?", "why not now?"]
        for draw in (0, 1)
    ]
    together = [reply.text for reply in teacher(base, tmp_path / "one").ask(asks)]
    alone = [next(iter(teacher(base, tmp_path / f"alone{n}").ask([each]))).text for n, each in enumerate(asks)]
    assert together == alone and len(set(together)) == 4


def test_a_schema_is_followed_by_a_model_of_noise(base: Base, tmp_path: Path) -> None:
    asks = [ask(text, schema=Small, max_tokens=60, temperature=1.0) for text in ("how?", "why?")]
    replies = list(teacher(base, tmp_path).ask(asks))
    assert all(isinstance(reply.value, Small) for reply in replies), replies


def test_what_was_said_is_kept_and_what_was_cut_off_is_not(base: Base, tmp_path: Path) -> None:
    right, cut = ask("how?", choices=MOODS), ask("how?", max_tokens=2)
    first = list(teacher(base, tmp_path).ask([right, cut]))
    assert first[1].error == "the answer was cut off at 2 tokens" and statuses(tmp_path) == ["ok", "truncated"]
    again = list(teacher(base, tmp_path, nobody).ask([right]))
    assert again[0].text == first[0].text and again[0].from_cache
    with pytest.raises(UnavailableError, match="--replay: no cached answer to request"):
        list(teacher(base, tmp_path, nobody, replay=True).ask([right, cut]))


def test_what_the_model_can_not_read_to_its_end_is_not_asked(base: Base, tmp_path: Path) -> None:
    asks = [ask("how?" * 900, max_tokens=4), ask("how?", choices=MOODS), ask("why?" * 900, choices=MOODS)]
    replies = list(teacher(base, tmp_path).ask(asks))
    assert ["exceed the context window" in reply.error for reply in replies] == [True, False, True]


def test_a_budget_holds_for_it_too(base: Base, tmp_path: Path) -> None:
    list(teacher(base, tmp_path, tokens=10).ask([ask("how?", choices=MOODS)]))
    with pytest.raises(UnavailableError, match=r"budget\.tokens is used up: \d+ of 10 tokens for 1 answer;"):
        list(teacher(base, tmp_path, nobody, tokens=10).ask([ask("why?", choices=MOODS)]))
