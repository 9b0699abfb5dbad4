"""Answers by a saved prompt on the untuned base: what the contender `prompted` is deployed as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from factory.api import Answer, Artifact, ModelJob, Objective, ReferenceAnswers, ReferenceJob, Row, ScoredAnswer
from factory.api.causal_lm.transformers_answers import (
    answer_with_transformers,
    build_scored_answer,
    load_with_transformers,
    score_answer,
    tokenize_chat,
)
from factory_contenders.chat_backends import ChatBackend, ChatMessages, ChoiceLogprobs, LocalChatBackend
from factory_contenders.prompt_builder import PromptChat, strip_code_fence
from factory_contenders.prompt_runner import PromptRunner
from factory_contenders.saved_prompt import SavedPrompt, read_prompt


class PromptResponder(Objective):
    """Answers by a prompt with its examples; nothing of the base is trained. A bundle of it loads with transformers."""

    kind = "prompt"
    loader_class = "transformers:AutoModelForCausalLM"

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        folder = _get_artifact(job).folder
        saved, backend = read_prompt(folder), LocalChatBackend(job.kit.load_decoder(job.base), job.report)
        runner = _build_runner(job, folder, saved, backend)
        yield from runner.run_arm(job.rows, saved.arm).variants[saved.reading]

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Write nothing: the prompt is all that the base needs."""

    def generate_reference_answers(self, job: ReferenceJob) -> ReferenceAnswers:
        """Return the answers of plain transformers; without an artifact, to the task's own messages."""
        texts = replace(job, judged_answers=_convert_to_texts(job.judged_answers))
        if job.artifact is None:
            return answer_with_transformers(texts, 0, self.loader_class)
        saved = read_prompt(job.artifact.folder)
        if saved.choices:
            return _answer_by_choice(texts, saved, self.loader_class)
        chats = _build_chats(job, job.artifact.folder, saved, _load_token_counter(job))
        found = answer_with_transformers(texts, saved.max_new_tokens, self.loader_class, chats)
        return replace(found, greedy=tuple(_leave_out_fence(job, row, own) for row, own in
                                           zip(job.rows, found.greedy, strict=True)))

    def score_judged_answers(self, job: ReferenceJob) -> Iterator[ScoredAnswer]:
        folder, decoder = _get_artifact(job).folder, job.kit.load_decoder(job.base)
        chats = _build_chats(job, folder, read_prompt(folder), LocalChatBackend(decoder, job.report))
        texts = _convert_to_texts(job.judged_answers)
        answers = [decoder.tokenize_answer(texts[row.id].output) for row in job.rows]
        logprobs = decoder.compute_answer_logprobs([decoder.tokenize_chat(chats[row.id]) for row in job.rows], answers)
        for row, ids, values in zip(job.rows, answers, logprobs, strict=True):
            yield build_scored_answer(row.id, decoder.tokenizer, ids, values)


@dataclass(frozen=True, slots=True)
class TransformersScorer:
    """Scores choices by a model and a tokenizer of transformers; it generates nothing."""

    model: Any
    tokenizer: Any
    can_calibrate: bool = True

    def count_chat_tokens(self, chat: ChatMessages) -> int:
        """Count the tokens of a chat."""
        return len(tokenize_chat(self.tokenizer, chat))

    def score_choices(self, chats: Sequence[ChatMessages], choices: Sequence[str]) -> ChoiceLogprobs:
        """Compute the log-probability of each choice as the reply."""
        return [
            [sum(token.logprob for token in score_answer(self.model, self.tokenizer, chat, "", choice).tokens)
             for choice in choices]
            for chat in chats
        ]


def _get_artifact(job: ModelJob) -> Artifact:
    if job.artifact is None:
        raise ValueError("a prompt answers with its artifact only")
    return job.artifact


def _build_runner(job: ModelJob, folder: Path, saved: SavedPrompt, backend: ChatBackend) -> PromptRunner:
    builder = saved.build_prompt_builder(job.task)
    selector = saved.build_selector(folder, builder.get_comparison_text)
    return PromptRunner(job.tables, backend, builder, selector, saved.max_prompt_tokens, saved.max_new_tokens)


def _build_chats(job: ModelJob, folder: Path, saved: SavedPrompt, backend: ChatBackend) -> dict[str, PromptChat]:
    """Return row id → the prompt of that row."""
    runner = _build_runner(job, folder, saved, backend)
    examples = runner.select_arm_examples(job.rows, saved.arm)
    pairs = zip(job.rows, examples, strict=True)
    return {row.id: runner.build_budgeted_prompt(row, shots).chat for row, shots in pairs}


def _load_token_counter(job: ReferenceJob) -> ChatBackend:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(job.base.folder))
    return cast(ChatBackend, TransformersScorer(None, tokenizer))


def _answer_by_choice(job: ReferenceJob, saved: SavedPrompt, library: str) -> ReferenceAnswers:
    """Score the judged choices, and in place of decoding the choice that the library itself finds most probable."""
    model, tokenizer = load_with_transformers(job)
    backend = cast(ChatBackend, TransformersScorer(model, tokenizer))
    folder = _get_artifact(job).folder
    chats, runner = _build_chats(job, folder, saved, backend), _build_runner(job, folder, saved, backend)
    own = _convert_to_texts({each.id: each for each in runner.run_arm(job.rows, saved.arm).variants[saved.reading]})
    scored, greedy = (
        tuple(score_answer(model, tokenizer, chats[row.id], row.id, answers[row.id].output) for row in job.rows)
        for answers in (job.judged_answers, own)
    )
    return ReferenceAnswers((), 0, library, scored, greedy)


def _convert_to_texts(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return answers as texts: of labels, the most probable one."""

    def get_text(output: Any) -> str:
        is_labels = isinstance(output, Mapping)
        return str(max(output, key=lambda label: float(output[label])) if is_labels else output)

    return {row: Answer(row, get_text(answer.output)) for row, answer in answers.items()}


def _leave_out_fence(job: ReferenceJob, row: Row, own: ScoredAnswer) -> ScoredAnswer:
    """Return no tokens where the reply starts with what is stripped from free texts, so that they can not be compared
    with the judged answer."""
    text = "".join(token.text for token in own.tokens)
    is_stripped = text.startswith("```") or strip_code_fence(text) != text
    return ScoredAnswer(row.id, ()) if is_stripped and job.task.build_grammar(row, job.tables) is None else own
