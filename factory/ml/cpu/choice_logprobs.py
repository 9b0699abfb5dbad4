"""How likely each of a few answers is: one reading of the prompt, and one of all answers together as a tree.

Answers that begin alike share the tokens of their beginning; each token sees the prompt and its own ancestors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from factory.api import Reporter
from factory.ml.cpu.generation import (
    Ids,
    PrefilledBatch,
    batch_by_length,
    find_shared_prefix,
    prefill_batch,
    prefill_prefix,
)
from factory.ml.cpu.packed_attention import MASKED_SCORE, use_prefix_key_values

MAX_PROMPT_TOKENS = 6144
"""Padded tokens of prompts that are read together."""
ROOT = -1


@dataclass
class ChoiceTrie:
    """The beginnings of some answers, each once: `tokens` with their `parents` (ROOT: the prompt) and depths.

    `steps` holds for each answer its tokens with the node that each follows.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    steps: list[list[tuple[int, int]]] = field(default_factory=list)

    @classmethod
    def from_choices(cls, choices: Ids) -> ChoiceTrie:
        """The tree of some answers. Raises ValueError for an empty one."""
        tree = cls()
        known: dict[tuple[int, int], int] = {}
        for choice in choices:
            if not choice:
                raise ValueError("an answer to weigh has no token")
            node, steps = ROOT, []
            for place, token in enumerate(choice):
                steps.append((node, token))
                if place + 1 < len(choice):
                    key = (node, token)
                    if key not in known:
                        known[key] = len(tree.tokens)
                        tree.tokens.append(token)
                        tree.parents.append(node)
                        tree.depths.append(place)
                    node = known[key]
            tree.steps.append(steps)
        return tree

    def build_trie_mask(self, size: int) -> Tensor:
        """The additive mask between its nodes, padded to (size, size): each sees its ancestors and itself."""
        bars = torch.full((size, size), MASKED_SCORE)
        for node, parent in enumerate(self.parents):
            if parent != ROOT:
                bars[node] = bars[parent]
            bars[node, node] = 0.0
        return bars


@torch.inference_mode()
def compute_choice_logprobs(
    model: Any, prompts: Ids, choices: Sequence[Ids], report: Reporter | None = None
) -> list[list[float]]:
    """The log-probability of each choice after its prompt: the sum over its tokens."""
    found: list[list[float]] = [[] for _ in prompts]
    prefix = find_shared_prefix(model, prompts)
    read = prefill_prefix(model, prefix)
    rest = [prompt[len(prefix) :] for prompt in prompts]
    trees: dict[int, ChoiceTrie] = {}
    sizes = [sum(map(len, each)) for each in choices]
    done = 0
    for chunk in batch_by_length([len(own) + size for own, size in zip(rest, sizes, strict=True)], MAX_PROMPT_TOKENS):
        for index in chunk:
            if id(choices[index]) not in trees:
                trees[id(choices[index])] = ChoiceTrie.from_choices(choices[index])
        mine = [trees[id(choices[index])] for index in chunk]
        with use_prefix_key_values(read):
            begun = prefill_batch(model, len(prefix), [rest[index] for index in chunk], max(len(t.tokens) for t in mine))
            weighed = _score_choices(model, begun, mine)
        for index, weights in zip(chunk, weighed, strict=True):
            found[index] = weights
        done += len(chunk)
        if report is not None:
            report.report_progress(done, len(prompts), "answers")
    return found


def _score_choices(model: Any, begun: PrefilledBatch, trees: Sequence[ChoiceTrie]) -> list[list[float]]:
    head = model.get_output_embeddings()
    hidden = _compute_node_hidden(model, begun, trees)
    found = []
    for row, tree in enumerate(trees):
        vectors = torch.cat([begun.last_hidden[row : row + 1], hidden[row, : len(tree.tokens)]])
        table = head(vectors).float().log_softmax(-1)
        found.append([float(sum(table[node + 1, token] for node, token in steps)) for steps in tree.steps])
    return found


def _compute_node_hidden(model: Any, begun: PrefilledBatch, trees: Sequence[ChoiceTrie]) -> Tensor:
    """Vectors of every node of each tree: (rows, most nodes, hidden)."""
    size = max(len(tree.tokens) for tree in trees)
    if not size:
        return begun.last_hidden.new_zeros(len(trees), 0, begun.last_hidden.shape[-1])
    device, dtype = model.device, model.dtype
    tokens = torch.tensor([tree.tokens + [0] * (size - len(tree.tokens)) for tree in trees], device=device)
    depths = torch.tensor([tree.depths + [0] * (size - len(tree.depths)) for tree in trees], device=device)
    past = begun.key_mask.shape[1] - size
    before = begun.key_mask[:, None, None, :past].expand(-1, 1, size, -1)
    alike = {id(tree): tree.build_trie_mask(size) for tree in trees}
    among = torch.stack([alike[id(tree)] for tree in trees])[:, None].to(device, dtype)
    hidden: Tensor = model.get_decoder()(
        input_ids=tokens, position_ids=begun.positions[:, None] + depths, past_key_values=begun.cache, use_cache=True,
        attention_mask=torch.cat([before, among], -1),
    ).last_hidden_state
    return hidden
