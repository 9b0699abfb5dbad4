"""Several answers to each prompt in one packed row: every prompt is read once for all of its answers.

What all prompts start with is read once too. In a causal model the hidden states of a prompt do not depend on its
answers, so that this changes no log-probability, and the gradient of a prompt is the sum over its answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from factory.ml.cpu.packed_attention import (
    MASKED_SCORE,
    LayerKeyValues,
    attend_after_prefix,
    attend_grouped,
    build_causal_mask,
    find_common_prefix,
    prepend_prefix,
    use_packed_row,
)
from factory.ml.cpu.packing import MAX_PADDING_RATIO, ROW_MULTIPLE, LengthBucket, build_bucket, pad_bucket, unpad_bucket
from factory.ml.text_batch import AnswerBatch, Ids, sum_answer_logprobs


@dataclass(frozen=True, slots=True)
class AnswerBucket:
    """Prompts whose texts are of similar length, adjacent in the row: first the prompts, then `width` answers to each.

    `bias` (answers, 1, longest answer, prefix + longest prompt + longest answer) lets an answer's tokens see the
    shared prefix, their prompt, and their own answer up to themselves.
    """

    prompts: LengthBucket
    answers: LengthBucket
    width: int
    bias: Tensor

    def attend(self, prefix: LayerKeyValues | None, tensors: Sequence[Tensor], scaling: float) -> Tensor:
        """Return attention of the bucket's tokens; `tensors` are their queries, keys and values, as is the result:
        (tokens, heads, width)."""
        parts = [torch.split(tensor, [self.prompts.tokens, self.answers.tokens]) for tensor in tensors]
        query, key, value = (_lay_out(part, self.prompts) for part, _ in parts)
        own_query, own_key, own_value = (_lay_out(part, self.answers) for _, part in parts)
        read = attend_after_prefix(prefix, query, key, value, scaling)
        seen = (x.repeat_interleave(self.width, 0) for x in prepend_prefix(prefix, key, value))
        keys, values = (torch.cat([x, own], 2) for x, own in zip(seen, (own_key, own_value), strict=True))
        answered = attend_grouped(own_query * scaling, keys, values, self.bias.to(keys.dtype))
        return torch.cat([_take_out(read, self.prompts), _take_out(answered, self.answers)])


def _lay_out(x: Tensor, bucket: LengthBucket) -> Tensor:
    """Move a bucket's tokens (tokens, heads, width) to padded slots: (texts, heads, longest, width)."""
    return pad_bucket(x, bucket).view(bucket.texts, bucket.longest, *x.shape[1:]).transpose(1, 2)


def _take_out(x: Tensor, bucket: LengthBucket) -> Tensor:
    """Move what attention returned out of its padded slots: (tokens, heads, width)."""
    return unpad_bucket(x.transpose(1, 2).reshape(-1, x.shape[1], x.shape[3]), bucket)


@dataclass(frozen=True, slots=True)
class PackedAnswers:
    """Prompts and their answers in one row: a prefix that all prompts share, then the buckets.

    `predictors` are the places in the row that predict a token of an answer, `targets` these tokens; they follow the
    answers in the order `answers`, which have `lengths`.
    """

    tokens: Tensor
    positions: Tensor
    prefix: int
    buckets: tuple[AnswerBucket, ...]
    predictors: Tensor
    targets: Tensor
    answers: tuple[int, ...]
    lengths: tuple[int, ...]

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """See `factory.ml.cpu.packed_attention.PackedRow`."""
        cut, outputs, shared = self.prefix, [], None
        if cut:
            shared = key[:, :, :cut], value[:, :, :cut]
            outputs.append(attend_after_prefix(None, query[:, :, :cut], *shared, scaling).transpose(1, 2)[0])
        sizes = [bucket.prompts.tokens + bucket.answers.tokens for bucket in self.buckets]
        filler = query.shape[2] - cut - sum(sizes)
        split = [torch.split(x[0, :, cut:].transpose(0, 1), [*sizes, filler]) for x in (query, key, value)]
        for bucket, *tensors in zip(self.buckets, *split, strict=False):
            outputs.append(bucket.attend(shared, tensors, scaling))
        return torch.cat([*outputs, torch.zeros_like(split[0][-1])]).unsqueeze(0)


def pack_answers(batch: AnswerBatch, device: torch.device) -> PackedAnswers:
    """Lay out a batch in one row."""
    shared = find_common_prefix(batch.prompts)[: min(map(len, batch.prompts)) - 1] if len(batch.prompts) > 1 else []
    cut, width = len(shared), batch.width
    prompts = [prompt[cut:] for prompt in batch.prompts]  # not empty: the last token predicts the first of an answer
    row, positions = list(shared), list(range(cut))
    buckets, order, predictors, targets = [], list[int](), list[int](), list[int]()
    for places in _group_prompts(prompts, batch.answers):
        answers = [(prompt, answer) for prompt in places for answer in batch.answers[prompt]]
        ends = dict[int, int]()
        for place in places:
            row += prompts[place]
            positions += range(cut, cut + len(prompts[place]))
            ends[place] = len(row) - 1
        for place, answer in answers:
            predictors += [ends[place], *range(len(row), len(row) + len(answer) - 1)]
            targets += answer
            row += answer
            positions += range(cut + len(prompts[place]), cut + len(prompts[place]) + len(answer))
        order += [place * width + number for place in places for number in range(width)]
        buckets.append(_build_answer_bucket(
            cut, [len(prompts[place]) for place in places], [len(answer) for _, answer in answers], device
        ))
    filler = [0] * (-len(row) % ROW_MULTIPLE)
    tokens, places_in_row, predicting, wanted = (
        torch.tensor(values, device=device) for values in (row + filler, positions + filler, predictors, targets)
    )
    lengths = [len(batch.answers[index // width][index % width]) for index in order]
    return PackedAnswers(
        tokens[None], places_in_row[None], cut, tuple(buckets), predicting, wanted, tuple(order), tuple(lengths)
    )


def _group_prompts(prompts: Ids, answers: Sequence[Ids]) -> Iterator[list[int]]:
    """Yield groups of prompts, by length, where padding to the longest ones stays below MAX_PADDING_RATIO."""

    def count_padded(group: Sequence[int]) -> int:
        longest = max(len(answer) for place in group for answer in answers[place])
        return len(group) * (max(len(prompts[place]) for place in group) + len(answers[0]) * longest)

    sizes = [len(prompt) + sum(map(len, own)) for prompt, own in zip(prompts, answers, strict=True)]
    group: list[int] = []
    for place in sorted(range(len(prompts)), key=lambda place: (sizes[place], place)):
        wider = [*group, place]
        # A single prompt is padded to its longest answer in any case.
        least = sum(count_padded([each]) for each in wider)
        if group and count_padded(wider) > MAX_PADDING_RATIO * least:
            yield group
            wider = [place]
        group = wider
    yield group


def _build_answer_bucket(
    prefix: int, prompts: Sequence[int], answers: Sequence[int], device: torch.device
) -> AnswerBucket:
    """Build a bucket from the lengths of its prompts and answers, the answers to one prompt after the other."""
    width, longest, own = len(answers) // len(prompts), max(prompts), max(answers)
    padding = torch.arange(longest) >= torch.tensor(prompts)[:, None]
    unseen = torch.zeros(len(prompts), prefix + longest)
    unseen[:, prefix:].masked_fill_(padding, MASKED_SCORE)
    causal = build_causal_mask(own, 0).expand(len(answers), 1, own, own)
    before = unseen.repeat_interleave(width, 0)[:, None, None].expand(-1, 1, own, -1)
    return AnswerBucket(
        build_bucket(prompts).to(device), build_bucket(answers).to(device), width,
        torch.cat([before, causal], -1).to(device),
    )


def compute_packed_sequence_logprobs(model: nn.Module, batch: AnswerBatch) -> Tensor:
    """Return the log-probability of each answer, summed over tokens: (prompts, answers) in fp32, with gradients.

    The head is applied only to positions that predict a token of an answer.
    """
    causal: Any = model
    row = pack_answers(batch, causal.device)
    with use_packed_row(row):
        out = causal.get_decoder()(input_ids=row.tokens, position_ids=row.positions, use_cache=False)
    logits = causal.get_output_embeddings()(out.last_hidden_state[0].index_select(0, row.predictors)).float()
    return sum_answer_logprobs(logits, row.targets, row.answers, row.lengths).view(-1, batch.width)
