"""The brand voice task: how rows are put, audited, shown and asked; the plain answer; and the repository's own rows."""

import json
from collections import Counter
from pathlib import Path

import pytest
from places import ROOT
from tiny_parts import Voice as Reporter
from voice_parts import ROWS, auditing, scoring

from factory.api import Answer, AnswerJob, Base, Message, normalise
from factory.text.near_duplicates import GrowingShingleIndex
from factory_voice.neutral_baseline import NeutralBaseline
from factory_voice.task import BrandVoice
from factory_voice.text_tokens import count_figures, split_folded_words
from factory_voice.voice_metrics import VoiceMetrics

ROW, TASK = ROWS[0], BrandVoice()
DATA = ROOT / "specs" / "brand-voice" / "rows.jsonl"


def test_a_row_is_the_message_and_what_to_say_and_the_answer_is_to_be_said() -> None:
    system, user = TASK.render_messages(ROW)
    assert (system.role, user.role) == ("system", "user")
    assert user.content == f"Customer: {ROW['question']}\n\nWhat to say: {ROW['neutral']}"
    assert TASK.render_target(ROW) == ROW["answer"]
    assert {*TASK.get_templates()} == {"system", "prompt", "target"}


def test_earlier_turns_stand_before_the_prompt() -> None:
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Ahoy, friend."}]
    said = TASK.render_messages(ROW.with_columns(history=turns))
    assert [message.role for message in said] == ["system", "user", "assistant", "user"]
    assert said[2] == Message("assistant", "Ahoy, friend.")
    bare = BrandVoice(system_template="", prompt_template="{question}")
    assert bare.render_messages(ROW.with_columns(history=[])) == (Message("user", ROW["question"]),)


@pytest.mark.parametrize("history", ["Hello", [{"role": "system", "content": "x"}], [{"role": "user"}], ["Hello"]])
def test_a_history_that_is_no_chat_is_refused(history: object) -> None:
    with pytest.raises(ValueError, match="history: expected"):
        TASK.render_messages(ROW.with_columns(history=history))


def test_empty_texts_are_findings_and_lost_figures_are_told_of() -> None:
    reporter = Reporter()
    rows = [
        ROW, ROWS[1].with_columns(answer=" "), ROWS[2].with_columns(answer=ROWS[2]["neutral"]),
        ROWS[3].with_columns(answer="Soon.")
    ]
    found = list(TASK.audit(auditing(rows, reporter)))
    assert [(each.check, each.row) for each in found] == [("empty", rows[1].id)]
    assert reporter.notes[0] == f"1 answer has the same text as the neutral answer, such as {rows[2].id}"
    assert reporter.notes[1].startswith("2 answers have other figures than the neutral answer")


def test_a_person_may_ask_with_what_to_say() -> None:
    row = TASK.build_query_row({"query": "Where is it?", "neutral": "On its way."})
    assert TASK.render_messages(row)[-1].content == "Customer: Where is it?\n\nWhat to say: On its way."
    with pytest.raises(ValueError, match="neutral: no value given"):
        TASK.build_query_row({"query": "Where is it?"})
    assert BrandVoice(prompt_template="{question}").build_query_row({"query": "Where?"})["question"] == "Where?"


def test_rows_are_shown_and_sliced() -> None:
    assert TASK.describe_row(ROW, {}, None) == f"{ROW['question']}\n  {ROW['answer']}"
    assert TASK.describe_row(ROW, {}, Answer(ROW.id, "Aye.")).endswith("\n  Aye.")
    assert TASK.get_row_slices(ROW) == {"length": "to 25 words"}
    assert TASK.get_row_slices(
        ROW.with_columns(moment="order", neutral="so " * 30)
    ) == {"moment": "order", "length": "over 25 words"}


def test_the_plain_answer_is_a_contender_that_keeps_all_and_has_no_voice() -> None:
    base = Base(Path("nowhere"), "none", "1", "0", "MIT")
    job = AnswerJob(7, Reporter(), Path(), rows=ROWS[8:], train=[], validation=[], base=base, task=TASK,
                    objective=None, artifact=None)  # type: ignore[arg-type]
    said = [answer.output for answer in NeutralBaseline().answer(job)]
    scores = [each.values for each in VoiceMetrics().score(scoring(said))]
    assert said == [row["neutral"] for row in ROWS[8:]]
    assert all(each["meaning"] > 0.999 and each["figures"] == 1 and each["voice"] < 0.3 for each in scores)


def test_the_repositorys_rows_are_many_of_three_moments_and_no_two_alike() -> None:
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 300 and len({row["id"] for row in rows}) == len(rows)
    moments = Counter(row["moment"] for row in rows)
    assert len(moments) == 3 and min(moments.values()) >= 100
    assert max(Counter(row["group"] for row in rows).values()) <= 3
    for column in ("question", "neutral", "answer"):
        index = GrowingShingleIndex()
        for row in rows:
            text = normalise(row[column])
            assert text and not index.find_max_similarity(text, 0.8), row["id"]
            index.add(text)


def test_the_repositorys_answers_keep_every_figure_and_the_guide() -> None:
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    assert [
        row["id"] for row in rows if count_figures(row["answer"]).keys() != count_figures(row["neutral"]).keys()
    ] == []
    assert all(25 <= len(row["answer"].split()) <= 60 and "!" not in row["answer"] for row in rows)
    assert all(split_folded_words(row["answer"]).count("friend") == 1 for row in rows)
    sorry = [split_folded_words(row["answer"]).count("sorry") for row in rows if row["moment"] == "complaint"]
    assert {*sorry} == {1}
