"""The form of an answer: a schema, a choice, words; what is repaired, and what has failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loopback import Play, echo, serving
from teach_parts import Mood, ask, statuses, teacher

from factory.errors import UnavailableError
from factory.llm import RESPONSES_FOLDER

pytest.importorskip("openai")


def test_a_wrong_schema_is_repaired_once_with_its_fault(tmp_path: Path) -> None:
    with serving(Play('{"mood": "grim", "sure": 1}'), Play('```json\n{"mood": "sad", "sure": 1}\n```')) as server:
        (reply,) = teacher(server, tmp_path).ask([ask("how?", schema=Mood)])
        (again,) = teacher(server, tmp_path).ask([ask("how?", schema=Mood)])
    first, second = server.asked
    assert reply.value == Mood(mood="sad", sure=1) == again.value and again.from_cache
    assert first.body["response_format"]["json_schema"]["schema"]["required"] == ["mood", "sure"]
    assert "mood: Input should be 'glad' or 'sad'" in second.text and reply.input_tokens == 20
    assert statuses(tmp_path) == ["invalid", "ok"]


@pytest.mark.parametrize(
    ("script", "fault", "ends"),
    [
        ([Play("no"), Play("no")], "JSON", ["invalid", "invalid"]),
        ([Play('{"mood": "gl', finish="length")], "cut off at 512 tokens", ["truncated"]),
        ([Play("{}", finish="content_filter")], "filter", ["invalid"]),
    ],
    ids=["wrong twice", "truncated", "filtered"],
)
def test_failures_say_why_and_are_never_cached(tmp_path: Path, script: list[Play], fault: str, ends: list[str]) -> None:
    with serving(*script, otherwise=Play('{"mood": "glad", "sure": 2}')) as server:
        (failed,) = teacher(server, tmp_path).ask([ask("how?", schema=Mood)])
        assert fault in failed.error and failed.value is None and not list(
            (tmp_path / RESPONSES_FOLDER).glob("*/*.json")
        )
        assert statuses(tmp_path) == ends
        (reply,) = teacher(server, tmp_path).ask([ask("how?", schema=Mood)])
    assert reply.value == Mood(mood="glad", sure=2)


def test_a_server_without_schemas_is_told_in_words(tmp_path: Path) -> None:
    def picky(body: dict[str, Any]) -> Play:
        return Play(status=400) if "response_format" in body else Play('{"mood": "glad", "sure": 2}')

    with serving(otherwise=picky) as server:
        replies = list(teacher(server, tmp_path, concurrency=1).ask(ask(text, schema=Mood) for text in "abc"))
    assert [reply.value for reply in replies] == [Mood(mood="glad", sure=2)] * 3
    assert [each.status for each in server.asked] == [400, 200, 200, 200]
    assert "JSON Schema" in server.asked[-1].text


def test_an_answer_is_one_of_the_choices(tmp_path: Path) -> None:
    with serving(Play('{"answer": "sad"}'), Play("Glad."), Play("grim"), Play("sad")) as server:
        asked = (ask(text, choices=("glad", "sad")) for text in "abc")
        replies = list(teacher(server, tmp_path, concurrency=1).ask(asked))
    assert [reply.text for reply in replies] == ["sad", "glad", "sad"]
    assert "none of: glad, sad" in server.asked[-1].text


def test_a_request_that_is_refused_has_failed_and_a_refused_key_ends_it(tmp_path: Path) -> None:
    def judge(body: dict[str, Any]) -> Play:
        return Play(status=400, error={"message": "too long"}) if body["messages"][-1]["content"] == "b" else Play(echo)

    with serving(otherwise=judge) as server:
        replies = list(teacher(server, tmp_path).ask(ask(text) for text in "abc"))
        assert [reply.error for reply in replies] == ["", "the endpoint rejected the request: 400: too long", ""]
        server.otherwise = Play(status=401, error={"message": "no such key"})
        with pytest.raises(UnavailableError, match="rejects requests to big: 401: no such key"):
            list(teacher(server, tmp_path).ask([ask("d")]))
    assert statuses(tmp_path).count("ok") == 2
