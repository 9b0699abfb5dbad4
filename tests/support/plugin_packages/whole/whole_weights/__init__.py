"""A task of six words, and an objective that trains every weight of a causal base and writes the whole model."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from factory.api import (
    Answer,
    CausalLMObjective,
    Eval,
    Finding,
    FitJob,
    Metric,
    Plugin,
    Row,
    RowsJob,
    ScoreJob,
    Scores,
    Task,
    TrainResult,
    hookimpl,
)


class Saying(Task):
    """Says the word that it is told."""

    kind = "saying"
    columns = ("text", "word")
    output_type = "text"
    text_column = "text"

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return {
            "objective": {"kind": "whole-completion", "max_new_tokens": 8}, "contenders": ["tuned", "untuned"],
            "evaluate": ["same-word"], "data": {"leakage": {"jaccard": 1.0}}, "gate": {"resamples": 500},
        }

    def get_templates(self) -> dict[str, str]:
        return {"system": "Repeat.", "prompt": "{text}", "target": "{word}"}

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        yield from ()

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        return f"{row['text']} → {answer.output if answer else row['word']}"


class SameWord(Eval):
    """Is it the word."""

    kind = "same-word"
    output_type = "text"
    columns = ("word",)
    metrics = (Metric("right", "share of right words", binary=True),)
    primary_metric = "right"

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            yield Scores(row.id, {"right": float(job.answers[row.id].output == row["word"])})


class WholeCompletion(CausalLMObjective):
    """Trains every weight of the base, a row a step."""

    kind = "whole-completion"
    loader_class = "transformers:AutoModelForCausalLM"

    def fit(self, job: FitJob) -> TrainResult:
        import torch
        from transformers import AutoModelForCausalLM

        torch.manual_seed(job.train.seed)
        decoder = job.kit.load_decoder(job.base)
        model: Any = AutoModelForCausalLM.from_pretrained(job.base.folder, dtype=torch.float32).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=job.train.learning_rate)
        order, steps = random.Random(job.train.seed), 0
        for _ in range(int(job.train.epochs)):
            for row in order.sample(list(job.rows), len(job.rows)):
                prompt = decoder.tokenize_chat(job.task.render_messages(row))
                answer = decoder.tokenize_answer(job.task.render_target(row))
                labels = torch.tensor([[-100] * len(prompt) + answer])
                loss = model(input_ids=torch.tensor([[*prompt, *answer]]), labels=labels).loss
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                steps += 1
                job.report.log_metrics(steps, loss=float(loss))
        model.save_pretrained(job.out)
        decoder.tokenizer.save_pretrained(job.out)
        total = sum(parameter.numel() for parameter in model.parameters())
        return TrainResult(steps, 0, total, total, artifact="weights")


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The task and all it needs."""
    return [Saying, SameWord, WholeCompletion]
