"""Log-probabilities of a few given answers: one forward pass over the prompt and one over all answers as a trie.

Answers with a common prefix share its tokens; each token attends to the prompt and its own ancestors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from factory.api import Reporter
from factory.ml.cpu import generation
from factory.ml.cpu.packed_attention import MASKED_SCORE, use_prefix_key_values
from factory.ml.encoder import iterate_chunks
from factory.ml.text_batch import Ids

MAX_PROMPT_TOKENS = 6144
"""Padded tokens of a batch of prompts."""
ROOT = -1


@dataclass
class ChoiceTrie:
    """A trie of answers: `tokens` of its nodes with their `parents` (ROOT: the prompt) and `depths`.

    `steps` lists for each answer its (parent node, token) pairs. Last tokens have no node: nothing follows them.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    steps: list[list[tuple[int, int]]] = field(default_factory=list)

    @classmethod
    def from_choices(cls, choices: Ids) -> ChoiceTrie:
        """Build the trie of tokenised answers. Raises ValueError for an empty answer."""
        trie = cls()
        known: dict[tuple[int, int], int] = {}
        for choice in choices:
            if not choice:
                raise ValueError("an answer to score has no tokens")
            node, steps = ROOT, []
            for depth, token in enumerate(choice):
                steps.append((node, token))
                if depth + 1 < len(choice):
                    key = (node, token)
                    if key not in known:
                        known[key] = len(trie.tokens)
                        trie.tokens.append(token)
                        trie.parents.append(node)
                        trie.depths.append(depth)
                    node = known[key]
            trie.steps.append(steps)
        return trie

    def build_trie_mask(self, size: int) -> Tensor:
        """Return the additive mask between nodes, padded to (size, size): a node sees itself and its ancestors."""
        mask = torch.full((size, size), MASKED_SCORE)
        for node, parent in enumerate(self.parents):
            if parent != ROOT:
                mask[node] = mask[parent]
            mask[node, node] = 0.0
        return mask


@torch.inference_mode()
def compute_token_logprobs(
    model: Any, prompts: Ids, choices: Sequence[Ids], report: Reporter | None = None
) -> list[list[list[float]]]:
    """Return the log-probabilities of the tokens of each choice after its prompt."""
    logprobs: list[list[list[float]]] = [[] for _ in prompts]
    prefix = generation.find_shared_prefix(prompts)
    prefix_key_values = generation.prefill_prefix(model, prefix)
    suffixes = [prompt[len(prefix) :] for prompt in prompts]
    sizes = [len(suffix) + sum(map(len, answers)) for suffix, answers in zip(suffixes, choices, strict=True)]
    # Prompts often share one list of choices, and so one trie.
    tries = {key: ChoiceTrie.from_choices(answers) for key, answers in {id(own): own for own in choices}.items()}
    for chunk in iterate_chunks(sizes, MAX_PROMPT_TOKENS, report, "answers", generation.MAX_BATCH_ROWS):
        chunk_tries = [tries[id(choices[index])] for index in chunk]
        room = max(len(trie.tokens) for trie in chunk_tries)
        with use_prefix_key_values(prefix_key_values):
            batch = generation.prefill_batch(model, len(prefix), [suffixes[index] for index in chunk], room)
            scores = _score_choices(model, batch, chunk_tries)
        for index, row in zip(chunk, scores, strict=True):
            logprobs[index] = row
    return logprobs


def _score_choices(
    model: Any, batch: generation.PrefilledBatch, tries: Sequence[ChoiceTrie]
) -> list[list[list[float]]]:
    head = model.get_output_embeddings()
    hidden = _compute_node_hidden(model, batch, tries)
    scores = []
    for row, trie in enumerate(tries):
        vectors = torch.cat([batch.last_hidden[row : row + 1], hidden[row, : len(trie.tokens)]])
        # Row 0 predicts the first tokens of answers, row n + 1 the tokens after node n.
        table = head(vectors).float().log_softmax(-1)
        # As numbers: tensors that outlive the tables would lie between their blocks of memory.
        scores.append([
            table[[node + 1 for node, _ in steps], [token for _, token in steps]].tolist() for steps in trie.steps
        ])
    return scores


def _compute_node_hidden(model: Any, batch: generation.PrefilledBatch, tries: Sequence[ChoiceTrie]) -> Tensor:
    """Return the last hidden states of every node of each trie: (rows, largest trie, hidden)."""
    size = max(len(trie.tokens) for trie in tries)
    if not size:
        return batch.last_hidden.new_zeros(len(tries), 0, batch.last_hidden.shape[-1])
    device, dtype = model.device, model.dtype
    tokens = torch.tensor([trie.tokens + [0] * (size - len(trie.tokens)) for trie in tries], device=device)
    depths = torch.tensor([trie.depths + [0] * (size - len(trie.depths)) for trie in tries], device=device)
    past = batch.key_mask.shape[1] - size
    prompt_mask = batch.key_mask[:, None, None, :past].expand(-1, 1, size, -1)
    masks = {id(trie): trie.build_trie_mask(size) for trie in tries}
    trie_mask = torch.stack([masks[id(trie)] for trie in tries])[:, None].to(device, dtype)
    hidden: Tensor = model.get_decoder()(
        input_ids=tokens, position_ids=batch.positions[:, None] + depths, past_key_values=batch.cache, use_cache=True,
        attention_mask=torch.cat([prompt_mask, trie_mask], -1),
    ).last_hidden_state
    return hidden
