"""A poisoned reply fails its own request, is not kept, and ends no build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from loopback import Play, serving
from pydantic import BaseModel
from teach_parts import ask, statuses, teacher

from factory.errors import UnavailableError
from factory.llm import RESPONSES_FOLDER
from factory.llm.reply_checks import is_same_model

pytest.importorskip("openai")


class Guess(BaseModel):
    """An answer with a number, and with anything."""

    odds: float
    more: Any = None


def reply_with(content: str, **changed: Any) -> Play:
    """A reply whose JSON is written as it is given, such as `"\\ud800"`."""
    fields = {"index": 0, "finish_reason": "stop", **changed.pop("choice", {})}
    head = json.dumps({"id": "x", "object": "chat.completion", "created": 1, **changed})[:-1]
    tail = json.dumps(fields)[:-1]
    message = f'{{"role": "assistant", "content": {content}}}'
    return Play(raw=f'{head}, "choices": [{tail}, "message": {message}}}]}}'.encode())


def count_cached(home: Path) -> int:
    return len(list((home / RESPONSES_FOLDER).glob("*/*.json")))


def test_half_a_character_fails_its_request_alone(tmp_path: Path) -> None:
    plays = lambda body: reply_with(r'"ok \ud800"' if body["messages"][-1]["content"] == "b" else '"fine"')  # noqa: E731
    with serving(otherwise=plays) as server:
        replies = list(teacher(server, tmp_path).ask(ask(text) for text in "abc"))
    assert [reply.text for reply in replies] == ["fine", "", "fine"] and count_cached(tmp_path) == 2
    assert "half a character" in replies[1].error


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ('{"odds": 1e999}', "infinite"), ('{"odds": "NaN"}', "infinite"), ('{"odds": 1, "more": 1e999}', "infinite"),
        ('{"odds": 1, "more": ' + "[" * 150 + "]" * 150 + "}", "nested"),
        ('{"odds": 1, "more": ' + "[" * 200_000 + "]" * 200_000 + "}", ""),
        (r'{"odds": 1, "more": "\ud800"}', ""),
    ],
    ids=["infinity", "NaN as text", "infinity anywhere", "150 deep", "200,000 deep", "half a character"],
)
def test_json_that_no_row_can_hold_is_repaired_or_fails(tmp_path: Path, answer: str, fault: str) -> None:
    with serving(Play(answer), Play(answer), Play(answer), Play('{"odds": 0.5}')) as server:
        (failed,) = teacher(server, tmp_path).ask([ask("how?", schema=Guess)])
        assert failed.error and fault in failed.error and failed.value is None and count_cached(tmp_path) == 0
        (reply,) = teacher(server, tmp_path).ask([ask("how?", schema=Guess)])
    assert reply.value == Guess(odds=0.5) and count_cached(tmp_path) == 1


@pytest.mark.parametrize(
    "play",
    [
        Play(raw=b"[" * 200_000), Play(raw=b'{"choices": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        reply_with('"A"', usage={"prompt_tokens": 1e400}), reply_with('"A"', choice={"index": 1}),
        reply_with('"A"', model="another-model"),
    ],
    ids=["nested", "nested choices", "infinite usage", "second choice", "another model"],
)
def test_a_reply_that_is_no_answer_is_asked_for_again(tmp_path: Path, play: Play) -> None:
    with serving(play) as server:
        (reply,) = teacher(server, tmp_path).ask([ask("a")])
    assert reply.text == "A" and statuses(tmp_path) == ["broken", "ok"] and count_cached(tmp_path) == 1


def test_an_endpoint_that_answers_by_another_model_is_told_unless_that_is_its_name(tmp_path: Path) -> None:
    with serving(otherwise=reply_with('"A"', model="gpt-big")) as server:
        with pytest.raises(UnavailableError, match=r"by the model 'gpt-big'.*set reply_model"):
            list(teacher(server, tmp_path, retries=0).ask([ask("a")]))
        (reply,) = teacher(server, tmp_path, retries=0, reply_model="gpt-big").ask([ask("a")])
    assert reply.text == "A"


def test_a_poisoned_answer_of_an_older_factory_is_asked_again(tmp_path: Path) -> None:
    with serving() as server:
        (reply,) = teacher(server, tmp_path).ask([ask("a")])
        (entry,) = (tmp_path / RESPONSES_FOLDER).glob("*/*.json")
        for poison in (r'"\ud800"', "[" * 200_000, "1e999"):
            kept = json.loads(entry.read_text())
            entry.write_text(json.dumps({**kept, "text": "POISON"}).replace('"POISON"', poison))
            (again,) = teacher(server, tmp_path).ask([ask("a")])
            assert again.text == "A" and not again.from_cache and json.loads(entry.read_text())["text"] == "A"
    assert reply.text == "A"


def test_the_names_of_one_model() -> None:
    same = [
        ("gpt-4o", "gpt-4o-2024-08-06"), ("gpt-4", "gpt-4-0613"), ("claude-x-latest", "claude-x-20241022"),
        ("meta/Llama-3.1-8B", "llama-3.1-8b"), ("qwen2.5", "/models/Qwen2.5.gguf"), ("gpt-4-0613", "gpt-4"),
        ("gemini-pro", "gemini-pro-002"),
    ]
    other = [("gpt-4o", "gpt-4o-mini"), ("gpt-4", "gpt-5"), ("gpt-4", "gpt-4-turbo"), ("llama-8b", "llama-70b")]
    assert [pair for pair in same if not is_same_model(*pair)] == []
    assert [pair for pair in other if is_same_model(*pair)] == []
