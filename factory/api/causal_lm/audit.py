"""What preflight looks for in rows that are prompt and answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from factory.api.jobs import ModelJob
from factory.api.kit import Decoder
from factory.api.rows import Finding, Row


def audit_completions(job: ModelJob, decoder: Decoder, limit: int, new_tokens: int) -> Iterator[Finding]:
    """Yield the findings of every row: `limit` is of prompt and answer together, `new_tokens` of an answered one."""
    answers: dict[tuple[int, ...], dict[str, str]] = defaultdict(dict)
    end = decoder.tokenizer.eos_token_id
    for row in job.rows:
        target = job.task.render_target(row)
        prompt, said = decoder.tokenize_chat(job.task.render_messages(row)), decoder.tokenize_answer(target)
        answers[tuple(prompt)].setdefault(target, row.id)
        yield from _check_lengths(row, len(prompt), said, limit, new_tokens, end)
        if not target.strip():
            yield Finding("unsupervised", row.id, "its answer is empty: there is nothing to learn")
        if end in said[:-1]:
            yield Finding("unended", row.id, f"its answer holds {decoder.tokenizer.eos_token!r} before its end")
        if _tokenize_blanked_prompt(job, decoder, row) != prompt:
            yield Finding("unlike", row.id, "its prompt changes with its answer, which is not there when it is asked")
    for several in answers.values():
        if len(several) > 1:
            yield from _find_conflicting_answers(several)


def _check_lengths(row: Row, prompt: int, said: list[int], limit: int, new_tokens: int, end: int) -> Iterator[Finding]:
    """What the limits take from a row."""
    left = limit - prompt
    if left <= 0:
        yield Finding("lost", row.id, f"its prompt alone has {prompt} tokens, {limit} are learned: its answer is lost")
    elif len(said) > left:
        yield Finding("truncated", row.id, f"prompt and answer have {prompt + len(said)} tokens, {limit} are learned")
    if 0 < left < len(said) or said[-1] != end:
        yield Finding("unended", row.id, "its end of turn is cut off, so it would teach not to stop")
    if len(said) > new_tokens:
        text = f"its answer has {len(said)} tokens, max_new_tokens lets {new_tokens} be said"
        yield Finding("truncated", row.id, text)


def _tokenize_blanked_prompt(job: ModelJob, decoder: Decoder, row: Row) -> list[int]:
    """The prompt as it is when the answer is not known: the columns that only the target reads are blanked."""
    from factory.text.templates import list_slots

    templates = job.task.get_templates()
    target = set(list_slots(templates.get("target", "")))
    read = {name for part, text in templates.items() if part != "target" for name in list_slots(text)}
    return decoder.tokenize_chat(job.task.render_messages(row.with_columns(**dict.fromkeys(target - read, ""))))


def _find_conflicting_answers(several: dict[str, str]) -> Iterator[Finding]:
    """One finding for each row whose prompt stands elsewhere with another answer."""
    first, *others = several.items()
    for text, row in others:
        yield Finding("conflict", row, f"says {text[:60]!r} to what {first[1]} says {first[0][:60]!r} to")
