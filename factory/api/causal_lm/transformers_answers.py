"""Reference answers of a bundle by peft and transformers alone; only the decoding constraint is ours.

They score the judged model's answers token by token, and decode the first tokens of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from factory.api.artifact import build_load_settings, count_adapted_modules, read_base_precision
from factory.api.grammar import Grammar, GrammarState, start_grammars
from factory.api.jobs import ReferenceJob
from factory.api.rows import Message, ReferenceAnswers, Row, ScoredAnswer, TokenLogprob

Chats = Mapping[str, Sequence[Message]]
"""Row id → the messages before its answer."""

GENERATION_FILES = ("generation_config.json",)
GENERATION_BATCH_SIZE = 16
"""Rows per call of `generate`."""
FIRST_TOKENS = 8
"""Number of tokens that are decoded of every answer; the scores cover the others."""


def copy_generation_files(model: Path, bundle: Path) -> None:
    """Copy the files that generation needs besides the artifact and the tokenizer."""
    for name in GENERATION_FILES:
        if (model / name).is_file() and not (bundle / name).exists():
            shutil.copyfile(model / name, bundle / name)


def answer_with_transformers(
    job: ReferenceJob, limit: int, library: str, chats: Chats | None = None
) -> ReferenceAnswers:
    """Score the judged answers, and decode the first tokens of the library's own, but not of the untuned base.

    `job.artifact` is in the bundle, None means the untuned base; `limit` is that of the judged answers, in tokens.
    `chats` replace the messages of the task, as a prompt does.
    """
    model, tokenizer = load_with_transformers(job)
    chats = chats or {row.id: job.task.render_messages(row) for row in job.rows}
    scored = tuple(
        score_answer(model, tokenizer, chats[row.id], row.id, str(job.judged_answers[row.id].output))
        for row in job.rows
    )
    greedy: list[ScoredAnswer] = []
    for start in range(0, len(job.rows) if job.artifact else 0, GENERATION_BATCH_SIZE):
        rows = job.rows[start : start + GENERATION_BATCH_SIZE]
        greedy += _generate_row_batch(model, tokenizer, job, rows, min(limit, FIRST_TOKENS), chats)
    return ReferenceAnswers((), count_adapted_modules(model), library, scored, tuple(greedy))


def load_with_transformers(job: ReferenceJob) -> tuple[Any, Any]:
    """Load the model and its tokenizer: those of the artifact, or of the base where it carries no model.

    In float32, but for an adapter over a base that is served in another precision.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kind = job.artifact.kind if job.artifact is not None else "prompt"
    folder = str(job.artifact.folder if job.artifact is not None and kind != "prompt" else job.base.folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if kind == "adapter":
        from peft import AutoPeftModelForCausalLM

        served = read_base_precision(Path(folder))
        settings = build_load_settings(served) if served else {"dtype": torch.float32}
        model: Any = AutoPeftModelForCausalLM.from_pretrained(folder, **settings)
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), tokenizer


def score_answer(model: Any, tokenizer: Any, chat: Sequence[Message], row: str, text: str) -> ScoredAnswer:
    """Score an answer to a row (its id) by teacher forcing: a forward pass over the prompt and the answer."""
    import torch

    inputs = tokenizer.apply_chat_template(
        build_chat_turns(chat), add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    tokens = torch.cat([inputs["input_ids"], torch.tensor([ids])], 1)
    with torch.inference_mode():
        # The logits at a position predict the token after it: those of the last prompt token on count, but the last.
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=len(ids) + 1).logits[0, :-1]
    logprobs = logits.float().log_softmax(-1)
    return build_scored_answer(row, tokenizer, ids, logprobs[range(len(ids)), ids].tolist())


def build_scored_answer(row: str, tokenizer: Any, ids: Sequence[int], logprobs: Sequence[float]) -> ScoredAnswer:
    """Return the answer to a row (its id) with the text and log-probability of every token."""
    beginnings = [str(tokenizer.decode(ids[:length])) for length in range(len(ids) + 1)]
    texts = [text[len(before) :] for before, text in pairwise(beginnings)]
    return ScoredAnswer(row, tuple(map(TokenLogprob, ids, texts, logprobs)))


def tokenize_chat(tokenizer: Any, chat: Sequence[Message]) -> list[int]:
    """Return the token ids of a chat in the tokenizer's own template, with the generation prompt.

    Raises ValueError for a tokenizer without a chat template.
    """
    if not tokenizer.chat_template:
        raise ValueError("the base's tokenizer has no chat template; choose an instruction-tuned base")
    text = tokenizer.apply_chat_template(build_chat_turns(chat), tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def build_chat_turns(chat: Sequence[Message]) -> list[dict[str, str]]:
    """Return messages as chat templates take them."""
    return [{"role": message.role, "content": message.content} for message in chat]


def _generate_row_batch(
    model: Any, tokenizer: Any, job: ReferenceJob, rows: Sequence[Row], limit: int, chats: Chats
) -> list[ScoredAnswer]:
    """Decode the first tokens of answers to a batch of rows, padded on the left."""
    import torch

    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer.apply_chat_template(
        [build_chat_turns(chats[row.id]) for row in rows], add_generation_prompt=True, padding=True,
        return_tensors="pt", return_dict=True,
    )
    start = inputs["input_ids"].shape[1]
    grammars = [job.task.build_grammar(row, job.tables) for row in rows]
    end_ids = find_end_ids(model, tokenizer)
    generated = model.generate(
        **inputs, do_sample=False, max_new_tokens=limit, pad_token_id=tokenizer.pad_token_id,
        logits_processor=[build_grammar_processor(tokenizer, grammars, start, end_ids)] if any(grammars) else [],
        output_logits=True, return_dict_in_generate=True,
    )
    logprobs = torch.stack(generated.logits, 1).float().log_softmax(-1)
    texts = zip(rows, generated.sequences[:, start:].tolist(), logprobs, strict=True)
    return [_build_greedy_answer(tokenizer, end_ids, row, ids, table) for row, ids, table in texts]


def _build_greedy_answer(
    tokenizer: Any, end_ids: frozenset[int], row: Row, ids: list[int], logprobs: Any
) -> ScoredAnswer:
    """Return decoded tokens up to their end of turn; `logprobs` has the shape (tokens, vocabulary)."""
    length = next((place for place, token in enumerate(ids, 1) if token in end_ids), len(ids))
    values = [float(logprobs[place, token]) for place, token in enumerate(ids[:length])]
    # A base may end a turn with several tokens; judged answers are scored with the tokenizer's own.
    own = [tokenizer.eos_token_id if token in end_ids else token for token in ids[:length]]
    return build_scored_answer(row.id, tokenizer, own, values)


def find_end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Return the ids that end an answer: the tokenizer's, and those of the model's generation config."""
    configured = getattr(model.generation_config, "eos_token_id", None)  # one id, a list, or None
    candidates = [tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
    return frozenset(token for token in candidates if token is not None)


def build_grammar_processor(
    tokenizer: Any, grammars: Sequence[Grammar | None], start: int, end_ids: frozenset[int]
) -> Callable[[Any, Any], Any]:
    """Return a logits processor of `generate` that keeps each row in the language of its grammar."""
    states: list[GrammarState | None] = []

    def process(ids: Any, scores: Any) -> Any:
        masked = scores.clone()
        if ids.shape[1] == start:
            states[:] = start_grammars(grammars, tokenizer, end_ids, scores.shape[-1])
        for row, state in enumerate(states):
            if state is None:
                continue
            last = int(ids[row, -1]) if ids.shape[1] > start else None
            if last in end_ids:
                states[row] = None  # what follows is padding
                continue
            if last is not None:
                state.consume_token(last)
            masked[row] = state.mask_logits(scores[row])
        return masked

    return process
