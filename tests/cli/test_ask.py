"""Asking a specialist that writes: the task makes a row of the question, and shows the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_decoder import tiny_decoder

from factory.bundle.manifest import write_manifest
from factory.data.rows import write_json
from factory.serve.server import LoadedSpecialist, handle_request


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
