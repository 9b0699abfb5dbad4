"""A causal model as a reranker: the log-odds of yes, which plain transformers give too, and what it learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_decoder import tiny_decoder
from tiny_parts import Voice
from transformers import AutoModelForCausalLM, AutoTokenizer

from factory.api import Adapter, Artifact, Base, FitJob, ModelJob, Provenance, ReferenceJob, Row, TrainingArgs
from factory.bundle.usage_examples import get_pipeline_tag, render_usage_example
from factory.ml.kit import load_kit
from factory_rerank.pointwise import (
    PROMPT_FILE,
    PairTokenizer,
    Pointwise,
    PointwiseTargets,
    compute_pointwise_loss,
)
from factory_rerank.task import Reranker

HERE = Provenance("here")
DOCUMENTS = {
    name: Row(name, {"text": f"{kind} {name}"}, HERE, table="documents")
    for kind in ("good", "bad") for name in (f"{kind[0]}{number}" for number in range(8))
}
OBJECTIVE = Pointwise(max_length=128, negatives=2, instruction="Good?")


def rows(count: int) -> list[Row]:
    """Queries whose relevant document is a good one, with two good and two bad candidates."""
    return [
        Row(f"q{n}", {
            "query": f"find {n}", "relevant": {f"g{n % 8}": 1}, "negatives": [f"b{n % 8}", f"b{(n + 3) % 8}"],
            "candidates": [f"b{(n + 1) % 8}", f"g{n % 8}", f"b{(n + 5) % 8}", f"g{(n + 2) % 8}"],
            "targets": {f"g{n % 8}": 1.0, f"b{n % 8}": 0.0},
        }, HERE)
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("pointwise") / "base")


@pytest.fixture(scope="module")
def fitted(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(OBJECTIVE, base, tmp_path_factory.mktemp("fitted"))


def fit(objective: Pointwise | PointwiseTargets, base: Base, folder: Path) -> Path:
    for name in ("out", "work"):
        (folder / name).mkdir()
    objective.fit(FitJob(
        7, Voice(), folder, {"documents": DOCUMENTS}, load_kit, rows=rows(32), validation=[], base=base,
        task=Reranker(), adapter=Adapter(rank=8, alpha=16), out=folder / "out", work=folder / "work",
        train=TrainingArgs(epochs=8, batch_size=8, learning_rate=1e-2, precision="fp32"),
    ))
    return folder / "out"


def ask(base: Base, folder: Path | None = None) -> ModelJob:
    artifact = Artifact("adapter", folder, base) if folder else None
    return ModelJob(
        7, Voice(), Path(), {"documents": DOCUMENTS}, load_kit, rows=rows(3), base=base, task=Reranker(),
        artifact=artifact,
    )


def test_the_loss_is_the_binary_cross_entropy_of_the_log_odds() -> None:
    logprobs, odds = torch.tensor([[-1.0, -3.0], [-2.0, -1.5]]), torch.tensor([2.0, -0.5])
    expected = -(torch.sigmoid(odds[0]).log() + 0.25 * torch.sigmoid(odds[1]).log()
                 + 0.75 * torch.sigmoid(-odds[1]).log()) / 2
    assert float(compute_pointwise_loss(logprobs, [1.0, 0.25])) == pytest.approx(float(expected), abs=1e-6)


def test_only_the_document_is_cut_off(base: Base) -> None:
    pairs = PairTokenizer(load_kit().load_decoder(base).tokenizer, "Good?", 90)
    short, long = pairs.tokenize_pair("find it", "good"), pairs.tokenize_pair("find it", "word " * 50)
    assert len(short) < 90 and len(long) == 90
    text = pairs.tokenizer.decode(long)
    assert "query: find it\ndocument: word word" in text and text.endswith("<|im_start|>assistant\n")
    assert [pairs.tokenizer.decode(ids) for ids in pairs.find_answer_tokens()] == ["y", "n"]


def test_the_untuned_model_scores_by_the_logits_of_plain_transformers(base: Base) -> None:
    job = ask(base)
    (row, *_), (answer, *_) = job.rows, OBJECTIVE.answer(job)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base.folder), AutoTokenizer.from_pretrained(base.folder)
    for name, score in zip(row["candidates"], answer.output, strict=True):
        user = f"query: find 0\ndocument: {DOCUMENTS[name]['text']}"
        turns = [{"role": "system", "content": "Good?"}, {"role": "user", "content": user}]
        inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        logits = model(**inputs).logits[0, -1].detach()
        yes, no = tokenizer.convert_tokens_to_ids(["y", "n"])
        assert score == pytest.approx(float(logits[yes] - logits[no]), abs=1e-4)


def test_it_learns_which_documents_are_right_and_its_bundle_says_the_same(
    base: Base, fitted: Path, tmp_path: Path
) -> None:
    job = ask(base, fitted)
    answers = list(OBJECTIVE.answer(job))
    for row, answer in zip(job.rows, answers, strict=True):
        scores = dict(zip(row["candidates"], answer.output, strict=True))
        good, bad = ([score for name, score in scores.items() if name[0] == letter] for letter in "gb")
        assert min(good) > max(bad)
    for file in (*base.folder.glob("tokenizer*"), *base.folder.glob("chat_template*"), *fitted.iterdir()):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(base.folder)}))
    work = ReferenceJob(
        7, Voice(), Path(), {"documents": DOCUMENTS}, rows=job.rows, base=base, task=Reranker(),
        artifact=Artifact("adapter", tmp_path, base), judged_answers={},
    )
    reference = OBJECTIVE.generate_reference_answers(work)
    for mine, theirs in zip(answers, reference.answers, strict=True):
        assert theirs.output == pytest.approx(mine.output, abs=1e-3)
    assert reference.modules == 14


def test_the_bundle_tells_how_a_pair_is_asked(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = json.loads((fitted / PROMPT_FILE).read_text())
    assert [turn["content"] for turn in asked["messages"]] == ["Good?", "query: {query}\ndocument: {document}"]
    example = render_usage_example(OBJECTIVE.loader_class, "tiny", "ranking")
    assert "pointwise.json" in example and compile(example, "example", "exec")
    assert get_pipeline_tag(OBJECTIVE.loader_class, "ranking") == "text-ranking"


def test_graded_targets_are_learned_as_probabilities(base: Base, tmp_path: Path) -> None:
    objective = PointwiseTargets(max_length=128, instruction="Good?")
    out = fit(objective, base, tmp_path)
    (answer, *_) = objective.answer(ask(base, out))
    assert answer.output[1] > max(answer.output[0], answer.output[2])
    assert objective.list_graded_documents(rows(1)[0].with_columns(targets={}), {}) == []


def test_texts_are_counted_and_long_ones_found_before_training(base: Base) -> None:
    job = ask(base)
    counts = OBJECTIVE.count_tokens(job)
    assert counts.texts_per_example == 3 and len(counts.fields["max_length"]) == 9
    longest = max(counts.fields["max_length"])
    assert not list(OBJECTIVE.audit(job)) and not list(OBJECTIVE.audit_frozen(job))
    found = list(Pointwise(max_length=longest - 1, negatives=2, instruction="Good?").audit(job))
    assert found and found[0].text.endswith(f"{longest} tokens exceed max_length ({longest - 1})")
    assert list(OBJECTIVE.audit_frozen(replace(job, rows=[rows(1)[0].with_columns(negatives=[])]))) == []
