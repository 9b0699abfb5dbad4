"""Continued pre-training: documents apart from each other, equal losses on both backends, and perplexity."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from preference_parts import PAIRS, fitting
from tiny_parts import Voice
from torch.nn import functional
from transformers import AutoModelForCausalLM

from factory.api import Artifact, Base, FitJob, ModelJob, Provenance, Row
from factory.api.causal_lm.objective import TokenizedCompletion, build_completion_collator
from factory.api.training_args import BackendChoice
from factory.ml.kit import load_kit
from factory_objectives.completion import Completion
from factory_objectives.language_modelling import LanguageModelling

pytestmark = pytest.mark.usefixtures("exact")

PLACES = ("sun", "moon", "star", "sky", "sea")
DOCUMENTS = [
    Row(f"d{n}", {"text": f"The {one} is far. " + f"We see the {one} above the {other}, day after day. " * (1 + n % 3)},
        Provenance("here"))
    for n, (one, other) in enumerate((one, other) for one in PLACES for other in PLACES)
]
HELD_OUT = DOCUMENTS[20:]


def reading(base: Base, folder: Path, choice: BackendChoice = "cpu", **settings: Any) -> FitJob:
    job = fitting(base, DOCUMENTS[:20], folder, tuple(HELD_OUT), **settings)
    return replace(job, kit_loader=lambda: load_kit(choice))


def test_every_token_is_learnt_and_counts_for_the_rank(base: Base, tmp_path: Path) -> None:
    objective, job = LanguageModelling(max_length=64), reading(base, tmp_path)
    asked = ModelJob(7, Voice(), tmp_path, kit_loader=load_kit, rows=job.rows, base=base, task=job.task)
    pieces = objective.tokenize_documents(job.rows, job.kit.load_decoder(base))
    assert sum(objective.count_tokens(asked).completions) == sum(map(len, pieces))


@pytest.mark.parametrize("choice", ["cpu", "hf"])
def test_the_loss_is_that_of_each_document_alone(choice: BackendChoice, base: Base, tmp_path: Path) -> None:
    objective, job = LanguageModelling(max_length=64), reading(base, tmp_path, choice)
    pieces = objective.tokenize_documents(DOCUMENTS[:6], job.kit.load_decoder(base))
    assert len(pieces) > 6 and max(map(len, pieces)) == 64, "long documents are cut into pieces"
    learner = job.kit.create_learner(job, causal=True)
    batch = build_completion_collator(job.kit)([TokenizedCompletion(piece, 1) for piece in pieces])
    with torch.no_grad():
        learner.begin_step()
        loss = objective.compute_loss(*job.kit.compute_completion_logits(learner.model, batch))
    plain, losses = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32).eval(), []
    for piece in pieces:
        ids = torch.tensor([piece])
        with torch.no_grad():
            logits = plain(input_ids=ids, use_cache=False).logits[0, :-1]
        losses += functional.cross_entropy(logits, ids[0, 1:], reduction="none").tolist()
    assert len(losses) == sum(len(piece) - 1 for piece in pieces), "all tokens but the first of each piece"
    assert float(loss) == pytest.approx(math.fsum(losses) / len(losses), abs=1e-5)


def test_documents_are_learnt_and_their_perplexity_is_told_before_and_after(base: Base, tmp_path: Path) -> None:
    objective, job = LanguageModelling(max_length=64), reading(base, tmp_path, epochs=4)
    facts = objective.fit(job).facts
    told = {name: value for name, value in facts.items() if name.startswith("perplexity")}
    texts = ("held-out documents", "general text")
    assert set(told) == {f"perplexity of {text} {when}" for text in texts for when in ("before", "after")}
    assert told["perplexity of held-out documents after"] < 0.5 * told["perplexity of held-out documents before"]
    assert facts["documents"] == 20
    decoder = job.kit.load_decoder(base, exact=True)
    pieces = objective.tokenize_documents(HELD_OUT, decoder)
    logprobs = decoder.compute_answer_logprobs([piece[:1] for piece in pieces], [piece[1:] for piece in pieces])
    mean = sum(map(sum, logprobs)) / sum(map(len, logprobs))
    assert told["perplexity of held-out documents before"] == pytest.approx(math.exp(-mean), rel=1e-4)


def test_answers_are_learnt_on_top_of_documents(base: Base, tmp_path: Path) -> None:
    read = reading(base, tmp_path / "read", epochs=2)
    LanguageModelling(max_length=64).fit(read)
    start = Artifact("adapter", read.out, base)
    job = replace(fitting(base, PAIRS, tmp_path / "taught"), start=start)
    Completion().fit(job)
    pieces = LanguageModelling(max_length=64).tokenize_documents(HELD_OUT, read.kit.load_decoder(base))
    shares = [
        sum(map(sum, read.kit.load_decoder(base, artifact, exact=True).compute_answer_logprobs(
            [piece[:1] for piece in pieces], [piece[1:] for piece in pieces]
        )))
        for artifact in (None, Artifact("adapter", job.out, base))
    ]
    assert shares[1] > shares[0], "what was read is not forgotten at once"
