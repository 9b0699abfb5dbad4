"""Learning from targets: what a list holds, what the losses want, and a random BERT that learns graded worth."""

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tiny_retrieval
import torch
from tiny_parts import Voice

from factory.api import Adapter, Artifact, Base, FitJob, ModelJob, Objective, Provenance, Row, TrainingArgs
from factory.ml.kit import load_kit
from factory_rerank import listwise_targets
from factory_rerank.bi_encoder import BiEncoderTargets
from factory_rerank.cross_encoder import CrossEncoder, CrossEncoderTargets
from factory_rerank.late_interaction import LateInteractionTargets
from factory_rerank.task import Reranker

HERE = Provenance("words")
OBJECTIVES = {
    "late-interaction-targets": (LateInteractionTargets(max_length=16, list_size=4), 5e-3, 0.65),
    "bi-encoder-targets": (BiEncoderTargets(max_length=16, list_size=4), 5e-3, 0.8),
    "cross-encoder-targets": (CrossEncoderTargets(max_length=24, list_size=4), 3e-3, 0.75),
}
"""Objective, learning rate, and the concordance that it reaches: the best match of a token can not count words."""


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("student") / "base"
    tiny_retrieval.base(folder)
    return Base(folder, "tiny/bert", "1", "d" * 64, "MIT")


def world(queries: int = 60, seed: int = 1) -> tuple[list[Row], dict[str, Row]]:
    """Queries with eight candidates each: a document is worth the more, the more words of the last ten it has."""
    draw, words = random.Random(seed), tiny_retrieval.WORDS
    good, other = words[-10:], words[:-10]
    documents, rows = {}, []
    for n in range(queries):
        targets = {}
        for i in range(8):
            name, worth = f"d{n}-{i}", i % 4
            text = " ".join(draw.sample([*draw.sample(good, worth), *draw.sample(other, 4 - worth)], 4))
            documents[name] = Row(name, {"text": text}, HERE, table="documents")
            targets[name] = worth / 3
        names = draw.sample(list(targets), 8)
        columns = {"query": " ".join(draw.sample(other, 3)), "relevant": {}, "candidates": names, "targets": targets}
        rows.append(Row(f"q{n}", {**columns, "signals": {"cosine": [0.0] * 8}}, HERE))
    return rows, documents


def job(student: Base, rows: list[Row], documents: dict[str, Row], folder: Path | None = None) -> ModelJob:
    return ModelJob(7, Voice(), Path(), {"documents": documents}, load_kit, rows=rows, base=student,
                    task=Reranker(), artifact=Artifact("adapter", folder, student) if folder else None)


@pytest.mark.parametrize("objective", [*(each[0] for each in OBJECTIVES.values()), CrossEncoder(max_length=24)],
                         ids=[*OBJECTIVES, "cross-encoder"])
def test_the_tokens_of_validation_rows_are_counted_without_what_synthesizers_add(
    student: Base, objective: Objective
) -> None:
    rows, documents = world(2)
    bare = Row("v", {"query": rows[0]["query"], "relevant": {"d0-3": 1}, "candidates": ["d0-3"]}, HERE)
    counts = objective.count_tokens(job(student, [rows[0].with_columns(negatives=["d0-0"]), bare], documents))
    assert counts.fields["max_length"] and counts.texts_per_example >= 1


def concordance(objective: Objective, work: ModelJob) -> float:
    """The share of pairs of different worth that the scores put in the right order."""
    right = total = 0
    for row, answer in zip(work.rows, objective.answer(work), strict=True):
        scored = [(row["targets"][name], score) for name, score in zip(row["candidates"], answer.output, strict=True)]
        for one, high in scored:
            for other, low in scored:
                total += one > other
                right += one > other and high > low
    return right / total


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_graded_worth_is_learned_for_queries_never_seen(kind: str, student: Base, tmp_path: Path) -> None:
    objective, rate, wanted = OBJECTIVES[kind]
    rows, documents = world()
    fit = FitJob(
        7, Voice(), tmp_path, {"documents": documents}, load_kit, rows=rows[:48], validation=[],
        base=student,
        task=Reranker(), adapter=Adapter(rank=4), train=TrainingArgs(epochs=4, batch_size=8, learning_rate=rate,
        precision="fp32"), out=tmp_path, work=tmp_path / "work",
    )
    (tmp_path / "work").mkdir()
    result = objective.fit(fit)
    assert result.facts["rows"] == 96  # eight documents make two lists of four
    before, after = (concordance(objective, job(student, rows[48:], documents, at)) for at in (None, tmp_path))
    assert after > wanted > before + 0.05, (before, after)


def test_a_query_with_many_documents_is_dealt_into_lists_from_good_to_bad() -> None:
    row = Row("q", {"targets": {f"d{i}": i / 9 for i in range(9)} | {"gone": 1.0}}, HERE)
    dealt = listwise_targets.split_into_lists(row, [f"d{i}" for i in range(9)], 4)
    assert dealt == [["d8", "d5", "d2"], ["d7", "d4", "d1"], ["d6", "d3", "d0"]]
    assert listwise_targets.split_into_lists(row.with_columns(targets={"d1": 1.0}), ["d1"], 4) == []


def test_the_listwise_loss_wants_the_targets_distances_and_no_level() -> None:
    targets, sharpness = [0.0, 0.25, 1.0], 8.0
    scores = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([scores], lr=5.0)
    for _ in range(3000):
        optimizer.zero_grad()
        listwise_targets.compute_listwise_loss([scores], [targets], sharpness).backward()
        optimizer.step()
    gaps = (scores - scores[0]).detach().tolist()
    assert gaps == pytest.approx([0.0, 2.0, 8.0], abs=0.05)
    level = [
        listwise_targets.compute_listwise_loss([scores + shift], [targets], sharpness).item() for shift in (0.0, 5.0)
    ]
    assert level[0] == pytest.approx(level[1], abs=1e-5)


def test_lists_of_different_lengths_count_alike() -> None:
    scores = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0, 1.0])]
    targets = [[1.0, 0.0], [0.2, 0.9, 0.1]]
    apart = [
        listwise_targets.compute_listwise_loss([one], [aim], 8.0) for one, aim in zip(scores, targets, strict=True)
    ]
    assert listwise_targets.compute_listwise_loss(scores, targets, 8.0) == pytest.approx(
        (apart[0] + apart[1]).item() / 2
    )


def test_the_pointwise_part_sets_the_level_of_scores(student: Base) -> None:
    encoder = load_kit().load_encoder(student, labels=1)
    pairs = encoder.tokenize_pairs([("kalana", "mopira"), ("kalana", "zedosum")], 16)
    batch = listwise_targets.build_graded_pairs_collator(load_kit())([(pairs, [0.9, 0.3])])
    logits = load_kit().compute_head_logits(encoder.model, batch.texts)[:, 0]
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([0.9, 0.3]))
    found = [
        listwise_targets.build_mixed_loss(load_kit(), 8.0, share)(encoder.model, batch).item()
        for share in (1.0, 0.0, 0.5)
    ]
    assert found[0] == pytest.approx(wanted.item(), rel=1e-5)
    assert found[2] == pytest.approx((found[0] + found[1]) / 2, rel=1e-5)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_the_audit_names_rows_that_teach_nothing(kind: str, student: Base) -> None:
    rows, documents = world(4)
    some = [
        rows[0].with_columns(targets={}), rows[1].with_columns(targets={**rows[1]["targets"], "d9": 0.5}),
        rows[2].with_columns(targets={**rows[2]["targets"], "d2-0": 1.5}), rows[3],
    ]
    work = replace(job(student, some, documents))
    found = [(finding.check, finding.row) for finding in OBJECTIVES[kind][0].audit(work)]
    assert found == [("no_supervised_tokens", "q0"), ("missing", "q1"), ("missing", "q2")]
