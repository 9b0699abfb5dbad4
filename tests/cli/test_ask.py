"""Asking a specialist that writes: the task makes a row of the question, and shows the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_decoder import tiny_decoder

from factory.api import Answer, ModelJob, Objective
from factory.bundle.manifest import write_manifest
from factory.data.rows import write_json
from factory.serve.server import LoadedSpecialist, handle_request
from factory_classify.task import Classifier


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    """What the answering process is told: an untrained adapter would do, so there is none to load."""
    tiny_decoder(tmp_path / "base" / "model")
    facts = {"id": "tiny/decoder", "revision": "1", "digest": "d", "licence": "MIT"}
    write_json(tmp_path / "base" / "base.json", facts)
    (tmp_path / "gather" / "tables").mkdir(parents=True)
    return {
        "task": {"kind": "query-rewriter"}, "objective": {"kind": "completion", "max_new_tokens": 4}, "seed": 7,
        "base": str(tmp_path / "base"), "gather": str(tmp_path / "gather"), "root": str(tmp_path), "models": {},
        "cache": str(tmp_path / "cache"), "bundle": str(adapter(tmp_path)),
    }


def adapter(folder: Path) -> Path:
    """An adapter as PEFT writes it before it has learned anything."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder / "base" / "model")
    get_peft_model(base, LoraConfig(r=2, target_modules="all-linear")).save_pretrained(folder / "bundle")
    write_manifest(folder / "bundle", {"artifact": "adapter"})
    return folder / "bundle"


def test_a_question_with_its_history_is_answered_in_words(told: dict[str, Any]) -> None:
    fields = {"history": ["Who was Ada Lovelace?", "A mathematician."]}
    found = handle_request(LoadedSpecialist(told), {"query": "When was she born?", "fields": fields})
    assert isinstance(found["reply"]["output"], str) and found["reply"]["shown"]


def test_a_question_without_words_gets_one_clear_line(told: dict[str, Any]) -> None:
    found = handle_request(LoadedSpecialist(told), {"query": " "})
    assert found["failed"].startswith("query-rewriter: query: expected a text") and found["exit_code"] == 64


def test_an_answer_is_heard_while_it_is_written(told: dict[str, Any]) -> None:
    heard: list[str] = []
    found = handle_request(
        LoadedSpecialist(told), {"query": "When was she born?"}, lambda message: heard.append(message["so_far"])
    )
    assert len(heard) == 4 and [len(text) for text in heard] == sorted(len(text) for text in heard)
    assert found["reply"]["output"].strip() == heard[-1].strip()


class UnsureObjective(Objective):
    """Answers each text alike, and says from where on it abstains."""

    kind = "unsure"
    version = 1
    output_type = "labels"

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        job.facts["abstain_below"] = 0.7
        yield from (Answer(row.id, {"card": 0.6, "money": 0.3, "weather": 0.1}) for row in job.rows)


def test_a_classifier_abstains_as_its_bundle_says_and_tells_the_next_labels(told: dict[str, Any]) -> None:
    specialist = LoadedSpecialist(told)
    vars(specialist).update(task=Classifier(), objective=UnsureObjective())
    shown = handle_request(specialist, {"query": "lost it"})["reply"]["shown"]
    assert shown == "abstains: the best label, card, has 0.60, below 0.7\nthen money 0.30, weather 0.10"
