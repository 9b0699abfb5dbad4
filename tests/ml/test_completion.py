"""Learning to say what rows say: what preflight finds, what is learned, and that plain libraries say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tiny_decoder import tiny_decoder
from transformers import AutoModelForCausalLM

from factory.api import (
    Adapter,
    Answer,
    Artifact,
    Base,
    FitJob,
    Grammar,
    ModelJob,
    NoOpReporter,
    Provenance,
    ReferenceJob,
    Row,
    RowsJob,
    ScoredAnswer,
    Task,
    TrainingArgs,
)
from factory.api.causal_lm.objective import build_completion_collator, tokenize_example
from factory.ml.adapter_files import save_adapter
from factory.ml.kit import load_kit
from factory_objectives.completion import Completion

HERE = Provenance("here")
RANK = Adapter(rank=4, alpha=8)


class Echo(Task):
    """Says the last word again."""

    kind = "echo"
    columns = ("text", "word")
    output_type = "text"
    text_column = "text"
    prompt: str = "{text}"

    def get_templates(self) -> dict[str, str]:
        return {"system": "Repeat.", "prompt": self.prompt, "target": "{word}"}

    def audit(self, job: RowsJob) -> Iterator[Any]:
        yield from ()

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        return str(row["text"])


class Held(Echo):
    """The same, allowed one word alone."""

    kind = "held"

    def build_grammar(self, row: Row, tables: Mapping[str, Mapping[str, Row]]) -> Grammar | None:
        return Grammar(f'start: "{row["word"]}"')


def row(name: str, text: str, word: str) -> Row:
    return Row(name, {"text": text, "word": word}, HERE)


ROWS = [row(f"r{i}", f"say {word}", word) for i, word in enumerate(["sun", "moon", "star", "sky", "sea", "air"] * 4)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"))


def asked(base: Base, rows: list[Row], folder: Path | None = None, task: Task | None = None) -> ModelJob:
    return ModelJob(
        seed=7, report=NoOpReporter(), root=Path(), kit_loader=load_kit, rows=rows, base=base,
        task=task or Echo(), artifact=Artifact("adapter", folder, base) if folder else None,
    )


def known(base: Base, words: list[str], adapter: Path, task: Task | None = None) -> ReferenceJob:
    """The first rows with their answers by the judged model."""
    job = asked(base, ROWS[: len(words)], adapter, task)
    fields = {each.name: getattr(job, each.name) for each in dataclasses.fields(job)}
    answers = {row.id: Answer(row.id, word) for row, word in zip(ROWS, words, strict=False)}
    return ReferenceJob(**fields, judged_answers=answers)


def joined(answer: ScoredAnswer) -> str:
    return "".join(token.text for token in answer.tokens)


@pytest.fixture
def fitting(base: Base, tmp_path: Path) -> FitJob:
    for name in ("out", "work"):
        (tmp_path / name).mkdir()
    return FitJob(
        seed=7, report=NoOpReporter(), root=Path(), kit_loader=load_kit, rows=ROWS, validation=[],
        base=base, task=Echo(),
        adapter=RANK, out=tmp_path / "out", work=tmp_path / "work",
        train=TrainingArgs(epochs=30, batch_size=8, learning_rate=0.02, precision="fp32"),
    )


def found(base: Base, rows: list[Row], task: Task | None = None, **fields: Any) -> dict[str, list[str]]:
    """Check → the rows that it named."""
    checks: dict[str, list[str]] = {}
    for finding in Completion(**fields).audit(asked(base, rows, task=task)):
        checks.setdefault(finding.check, []).append(finding.row)
    return checks


def test_rows_in_order_have_nothing_to_find(base: Base) -> None:
    assert found(base, ROWS) == {}


@pytest.mark.parametrize(
    ("rows", "fields", "checks"),
    [
        ([row("long", "x" * 100, "sun")], {"max_length": 64}, {"answer_truncated": ["long"]}),
        ([row("cut", "say", "sun" * 20)], {"max_length": 90}, {"truncated": ["cut"], "missing_eos": ["cut"]}),
        ([row("wordy", "say", "sun" * 20)], {"max_new_tokens": 32}, {"truncated": ["wordy"]}),
        ([row("silent", "say", " ")], {}, {"no_supervised_tokens": ["silent"]}),
        ([row("stops", "say", "sun<|im_end|>moon")], {}, {"missing_eos": ["stops"]}),
        ([row("a", "say", "sun"), row("b", "say", "moon")], {}, {"conflicting_answers": ["b"]}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) and value else "",
)
def test_every_way_to_lose_an_answer_is_found(
    base: Base, rows: list[Row], fields: dict[str, Any], checks: dict[str, list[str]]
) -> None:
    assert found(base, rows, **fields) == checks


def test_a_prompt_that_holds_the_answer_in_training_is_found(base: Base) -> None:
    class Leaky(Echo):
        kind = "leaky"

        def render_messages(self, row: Row) -> Any:
            system, user = super().render_messages(row)
            return system, replace(user, content=user.content + (" (short)" if len(row["word"]) > 3 else ""))

    assert found(base, ROWS[:2], task=Leaky()) == {"prompt_mismatch": ["r1"]}


def test_it_learns_and_peft_says_the_same(base: Base, fitting: FitJob) -> None:
    objective = Completion(max_new_tokens=8)
    result = objective.fit(fitting)
    words = [row["word"] for row in ROWS[:6]]
    tuned = [answer.output for answer in objective.answer(asked(base, ROWS[:6], fitting.out))]
    assert tuned == words
    assert [answer.output for answer in objective.answer(asked(base, ROWS[:6]))] != words
    load_kit().load_decoder(base).tokenizer.save_pretrained(fitting.out)
    config = (fitting.out / "adapter_config.json").read_text()
    (fitting.out / "adapter_config.json").write_text(config.replace("tiny/decoder", str(base.folder)))
    said = objective.generate_reference_answers(known(base, words, fitting.out))
    assert list(map(joined, said.greedy)) == list(map(joined, said.scored)) == [f"{word}<|im_end|>" for word in words]
    assert said.modules == result.modules == 14
    for ours, theirs in zip(objective.score_judged_answers(known(base, words, fitting.out)), said.scored, strict=True):
        assert [token.token_id for token in ours.tokens] == [token.token_id for token in theirs.tokens]
        likely = [token.logprob for token in theirs.tokens]
        assert [token.logprob for token in ours.tokens] == pytest.approx(likely, abs=0.2) and min(likely) > -1


def test_a_grammar_holds_in_the_factory_and_in_the_plain_library(base: Base, tmp_path: Path) -> None:
    objective, task = Completion(max_new_tokens=8), Held()
    (cut,) = Completion(max_new_tokens=2).answer(asked(base, ROWS[:1], task=task))
    assert (cut.output, cut.incomplete) == ("su", True)
    words = [row["word"] for row in ROWS[:6]]
    assert [answer.output for answer in objective.answer(asked(base, ROWS[:6], task=task))] == words
    bare = AutoModelForCausalLM.from_pretrained(base.folder)
    get_peft_model(bare, LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"])).save_pretrained(tmp_path)
    load_kit().load_decoder(base).tokenizer.save_pretrained(tmp_path)
    said = objective.generate_reference_answers(known(base, words, tmp_path, task))
    assert list(map(joined, said.greedy)) == [f"{word}<|im_end|>" for word in words]


def test_the_loss_is_on_the_answer_and_its_end_alone(base: Base) -> None:
    decoder = load_kit().load_decoder(base)
    made = tokenize_example(ROWS[0], Echo(), decoder, 512)
    assert decoder.decode_ids(made.ids[made.start :]) == "sun" and made.ids[-1] == decoder.tokenizer.eos_token_id
    value = Completion().compute_loss(
        *load_kit().compute_completion_logits(decoder.model, build_completion_collator(load_kit())([made]))
    )
    assert value.item() * len(made.ids[made.start :]) == pytest.approx(
        -decoder.compute_choice_logprobs([made.ids[: made.start]], [[made.ids[made.start :]]])[0][0], rel=0.02
    )


def test_gradients_of_a_decoder_equal_pefts(base: Base, fitting: FitJob, tmp_path: Path) -> None:
    learner = load_kit().create_learner(fitting, causal=True)
    for layer in learner.lora_layers.values():
        torch.nn.init.normal_(layer.lora_B, std=0.1)
        layer.stack.refresh()
    save_adapter(learner, RANK, tmp_path, base="tiny/decoder", modules_to_save=(), task_type="CAUSAL_LM")
    bare = AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(bare, str(tmp_path), is_trainable=True)
    rows = [tokenize_example(each, Echo(), load_kit().load_decoder(base), 512) for each in ROWS[:4]]
    Completion().compute_loss(
        *load_kit().compute_completion_logits(learner.model, build_completion_collator(load_kit())(rows))
    ).backward()
    tables = [theirs(input_ids=torch.tensor([each.ids])).logits[0, each.start - 1 : -1] for each in rows]
    wanted = torch.cat([torch.tensor(each.ids[each.start :]) for each in rows])
    torch.nn.functional.cross_entropy(torch.cat(tables), wanted).backward()
    named = dict(theirs.named_parameters())
    for name, layer in learner.lora_layers.items():
        for side in ("A", "B"):
            aim = named[f"base_model.model.{name}.lora_{side}.default.weight"].grad
            assert (getattr(layer, f"lora_{side}").grad - aim).norm() / aim.norm() <= 1e-5, (name, side)
