"""Reward models over decoders and over encoders: how they read prompt and answer, and which library loads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from factory.api import FitJob, ModelJob, ReferenceAnswers, ReferenceJob, Row, Task
from factory.api.artifact import count_adapted_modules
from factory.api.causal_lm.transformers_answers import tokenize_chat
from factory.api.sentence_transformers_files import copy_sentence_transformers_files
from factory_preference.reward import RewardObjective, TokenizedAnswer, split_rewards


class DecoderReward(RewardObjective):
    """A scalar head on the last token of a chat. Loads by PEFT, with transformers' model for sequence classification.
    """

    modules_to_save = ("score",)
    loader_class = "peft:AutoPeftModelForSequenceClassification"

    def tokenize_answers(self, job: ModelJob | FitJob, pairs: Sequence[tuple[Row, str]], limit: int
                         ) -> list[TokenizedAnswer]:
        decoder, found = job.kit.load_decoder(job.base), list[TokenizedAnswer]()
        for row, text in pairs:
            prompt, answer = decoder.tokenize_chat(job.task.render_messages(row)), decoder.tokenize_answer(text)
            ids = [*prompt, *answer]
            # The head reads the last token: it stays the end of the turn, whatever is cut off before it.
            ids = ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]
            found.append((ids, [0] * len(ids)))
        return found

    def score_untuned(self, job: ModelJob, pairs: Sequence[tuple[Row, str]]) -> list[float]:
        decoder = job.kit.load_decoder(job.base, exact=True)
        prompts = [decoder.tokenize_chat(job.task.render_messages(row)) for row, _ in pairs]
        answers = [decoder.tokenize_answer(text) for _, text in pairs]
        found = decoder.compute_choice_logprobs(prompts, [[ids] for ids in answers], job.report)
        return [value / len(ids) for (value,), ids in zip(found, answers, strict=True)]

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Do nothing: the bundle has the tokenizer and the adapter with its head."""

    def generate_reference_answers(self, job: ReferenceJob) -> ReferenceAnswers:
        """Reward by PEFT and transformers alone, one text at a time."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = str((job.artifact or job.base).folder)
        settings: dict[str, Any] = {"num_labels": 1, "dtype": torch.float32}
        if job.artifact is not None and job.artifact.kind == "adapter":
            from peft import AutoPeftModelForSequenceClassification

            model: Any = AutoPeftModelForSequenceClassification.from_pretrained(folder, **settings)
        else:
            model = AutoModelForSequenceClassification.from_pretrained(folder, **settings)
        model.eval()
        # The base's own may be the end of turn: the head would then read the token before it.
        model.config.pad_token_id = -1
        tokenizer, rewards = AutoTokenizer.from_pretrained(folder), list[float]()
        for row in job.rows:
            for text in row["answers"]:
                ids = _tokenize_plainly(tokenizer, job.task, row, str(text), self.get_max_length())
                with torch.inference_mode():
                    rewards.append(float(model(input_ids=torch.tensor([ids])).logits[0, 0]))
        return ReferenceAnswers(
            tuple(split_rewards(job.rows, rewards)), count_adapted_modules(model), self.loader_class
        )


class EncoderReward(RewardObjective):
    """A scalar head on prompt and answer as a pair of texts. Loads as sentence-transformers' CrossEncoder."""

    modules_to_save = ("classifier",)
    loader_class = "sentence_transformers:CrossEncoder"

    def tokenize_answers(self, job: ModelJob | FitJob, pairs: Sequence[tuple[Row, str]], limit: int
                         ) -> list[TokenizedAnswer]:
        texts = [(render_prompt_text(job.task, row), text) for row, text in pairs]
        return job.kit.load_encoder(job.base).tokenize_pairs(texts, limit)

    def score_untuned(self, job: ModelJob, pairs: Sequence[tuple[Row, str]]) -> list[float]:
        prompts = [render_prompt_text(job.task, row) for row, _ in pairs]
        vectors = job.kit.embed(job.base, [*prompts, *(text for _, text in pairs)], report=job.report)
        found: list[float] = (vectors[: len(pairs)] * vectors[len(pairs) :]).sum(axis=1).tolist()
        return found

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        copy_sentence_transformers_files(self._load_pair_model(job.base.folder), bundle)

    def generate_reference_answers(self, job: ReferenceJob) -> ReferenceAnswers:
        from torch.nn import Identity

        model = self._load_pair_model((job.artifact or job.base).folder)
        pairs = [(render_prompt_text(job.task, row), str(text)) for row in job.rows for text in row["answers"]]
        rewards = model.predict(pairs, activation_fn=Identity()).tolist()
        return ReferenceAnswers(
            tuple(split_rewards(job.rows, rewards)), count_adapted_modules(model), self.loader_class
        )

    def _load_pair_model(self, folder: Path) -> Any:
        from sentence_transformers import CrossEncoder

        return CrossEncoder(str(folder), num_labels=1, max_length=self.get_max_length(), device="cpu")


def render_prompt_text(task: Task, row: Row) -> str:
    """Return all that stands before the answer of a row as one text."""
    return "\n\n".join(message.content for message in task.render_messages(row))


def _tokenize_plainly(tokenizer: Any, task: Task, row: Row, text: str, limit: int) -> list[int]:
    """Return the token ids of a prompt with an answer by the tokenizer's own chat template."""
    prompt = tokenize_chat(tokenizer, task.render_messages(row))
    ids = [*prompt, *tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]
