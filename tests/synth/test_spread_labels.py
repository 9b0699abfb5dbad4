"""Labels spread from a few texts to those like them, and say how much speaks for them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synth_parts import Plain, lines, row, run
from tiny_parts import Voice

from factory.api import Base, Row
from factory_synth.label_spreading import propagate_labels
from factory_synth.spread_labels import SpreadLabels

ROWS = [row("a", text="open hours sunday", label="hours"), row("b", text="card gone lost", label="card")]
TEXTS = ("open hours monday", "card lost again", "hours sunday morning", "gone card today", "zebra")


class Sorted(Plain):
    """A task of texts and labels."""

    kind = "sorted"
    columns = ("text", "label")


class Words:
    """A kit whose embedding of a text is which words it has."""

    def embed(self, base: Base, texts: list[str], report: Any = None) -> np.ndarray:
        known = sorted({word for text in texts for word in text.split()})
        found = np.array([[word in text.split() for word in known] for text in texts], dtype=np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def spreading(folder: Path, voice: Voice | None = None, **fields: Any) -> list[Row]:
    lines(folder / "raw.jsonl", *({"text": text} for text in (*TEXTS, "Open hours Sunday")))
    synthesizer = SpreadLabels(texts={"file": "raw.jsonl"}, neighbours=2, **fields)
    return run(synthesizer, ROWS, voice, root=folder, task=Sorted(), kit_loader=Words)


def test_every_text_gets_the_label_of_what_it_is_like(tmp_path: Path) -> None:
    voice = Voice()
    made = spreading(tmp_path, voice, unsure="review", min_confidence=0.6)
    assert [new["label"] for new in made[:4]] == ["hours", "card", "hours", "card"]
    assert all(new.provenance.detail["share"] > 0.6 and "doubt" not in new.provenance.detail for new in made[:4])
    assert (made[0].provenance.source, made[0].provenance.line, made[0].provenance.generator) == (
        "raw.jsonl", 1, "spread-labels",
    )
    assert "doubt" in made[4].provenance.detail, "nothing that has a label is like a zebra"
    assert any("labels generated: 5; 1 rejected: repeats a known text (1, " in note for note in voice.notes)


def test_what_little_speaks_for_is_left_out(tmp_path: Path) -> None:
    voice = Voice()
    assert len(spreading(tmp_path, voice, min_confidence=0.6)) == 4
    assert "doubtful labels: 1 of 5; their rows were dropped" in voice.notes


def test_labels_go_along_a_chain_that_no_jump_could_take() -> None:
    angle = np.linspace(0, np.pi / 2, 21)
    arc = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    moons = np.concatenate([np.hstack([arc, np.zeros((21, 1))]), np.hstack([arc * 0.6, np.full((21, 1), 0.8)])])
    labels, shares = propagate_labels(moons, {0: "low", 41: "high"}, neighbours=2)
    assert labels == ["low"] * 21 + ["high"] * 21 and shares[0] == shares[41] == 1.0
    with pytest.raises(ValueError, match="at least two different labels are needed"):
        propagate_labels(moons, {0: "low", 1: "low"})
