"""Preflight checks of prompt/completion rows: lengths, end of turn, prompt consistency, conflicting answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from factory.api.jobs import ModelJob
from factory.api.kit import Decoder
from factory.api.rows import Finding, Row


def audit_completions(job: ModelJob, decoder: Decoder, max_length: int, max_new_tokens: int) -> Iterator[Finding]:
    """Yield the findings of every row: `max_length` limits prompt and answer, `max_new_tokens` a generated answer."""
    answers: dict[tuple[int, ...], dict[str, str]] = defaultdict(dict)
    end = decoder.tokenizer.eos_token_id
    for row in job.rows:
        target = job.task.render_target(row)
        prompt, answer = decoder.tokenize_chat(job.task.render_messages(row)), decoder.tokenize_answer(target)
        answers[tuple(prompt)].setdefault(target, row.id)
        yield from _check_lengths(row, len(prompt), answer, max_length, max_new_tokens, end)
        if not target.strip():
            yield Finding("no_supervised_tokens", row.id, "the answer is empty")
        if end in answer[:-1]:
            yield Finding("missing_eos", row.id, f"the answer contains {decoder.tokenizer.eos_token!r} before its end")
        if _tokenize_prompt_without_answer(job, decoder, row) != prompt:
            yield Finding("prompt_mismatch", row.id, "the prompt depends on the answer, which is unknown at inference")
    for ids_by_answer in answers.values():
        (first_answer, first_id), *others = ids_by_answer.items()
        for text, row_id in others:
            yield Finding(
                "conflicting_answers", row_id,
                f"the answer is {text[:60]!r}, but {first_id} has {first_answer[:60]!r} for the same prompt",
            )


def _check_lengths(
    row: Row, prompt: int, answer: list[int], max_length: int, max_new_tokens: int, end: int
) -> Iterator[Finding]:
    """Yield what the length limits cut off a row; `prompt` is its number of tokens."""
    left = max_length - prompt
    if left <= 0:
        text = f"the prompt alone has {prompt} tokens, max_length is {max_length}: no answer token is left to learn"
        yield Finding("answer_truncated", row.id, text)
    elif len(answer) > left:
        text = f"prompt and answer have {prompt + len(answer)} tokens, max_length is {max_length}"
        yield Finding("truncated", row.id, text)
    if 0 < left < len(answer) or answer[-1] != end:
        yield Finding("missing_eos", row.id, "the end-of-turn token is cut off: the model would learn not to stop")
    if len(answer) > max_new_tokens:
        text = f"the answer has {len(answer)} tokens, max_new_tokens is {max_new_tokens}"
        yield Finding("truncated", row.id, text)


def _tokenize_prompt_without_answer(job: ModelJob, decoder: Decoder, row: Row) -> list[int]:
    """Tokenize the prompt as at inference: columns that only the `target` template reads are blank."""
    from factory.text.templates import list_slots

    templates = job.task.get_templates()
    target = set(list_slots(templates.get("target", "")))
    read = {name for part, text in templates.items() if part != "target" for name in list_slots(text)}
    return decoder.tokenize_chat(job.task.render_messages(row.with_columns(**dict.fromkeys(target - read, ""))))
