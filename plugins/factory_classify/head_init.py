"""The head of a classifier: where it starts, so that little is left to learn.

BERT's head reads the first token through a pooler, a sentence encoder was trained on the mean of all tokens. The
pooler starts as the linear map that best turns the first into the second, on the training texts; the last layer as
the labels' centroids there. An all-MiniLM-L6-v2 so started is right on 79 % of BANKING77 with ten texts a label,
before any training; a fresh head needs most of the training to get there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from factory.api import Encoder, Reporter

if TYPE_CHECKING:
    from torch import Tensor, nn

CLASSIFIER_MODULE = "classifier"
POOLER_MODULE = "pooler"
POOLED_NORM = 8.0
"""Length of a pooled mean: its components stay where tanh is nearly a line."""
CENTROID_NORM = 4.0
"""Length of a centroid in the head: the first steps are neither blind nor too sure."""
RIDGE = 1e-4
MAX_INIT_TOKENS = 250_000
"""Tokens of texts to start from: a linear map of 400 × 400 and some centroids need no more."""

TokenIdLists = Sequence[Sequence[int]]


def initialise_head(
    model: nn.Module, plain: Encoder, headed: Encoder, ids: TokenIdLists, labels: Tensor, *, mean: bool,
    report: Reporter | None = None,
) -> None:
    """Set the head of `model` by the training texts. `plain` is the base alone, `headed` one with a head to try on."""
    chosen = sample_texts_by_label(ids, labels.tolist())
    ids, labels = [ids[row] for row in chosen], labels[chosen]
    if mean and _find_pooler(model) is not None:
        weight, bias = _fit_first_to_mean(plain.compute_token_vectors(ids, report))
        for one in (model, headed.model):
            _assign_linear(_find_pooler(one), weight, bias)
    weight, bias = _compute_centroid_head(_compute_head_inputs(headed, ids, report), labels)
    _assign_linear(_find_last_linear(model), weight, bias)


def sample_texts_by_label(ids: TokenIdLists, labels: Sequence[int], enough: int = MAX_INIT_TOKENS) -> list[int]:
    """The texts to start from, in order: all; or where they have too many tokens, every k-th of each label."""
    step, places = -(-sum(map(len, ids)) // enough), defaultdict[int, list[int]](list)
    for row, label in enumerate(labels):
        places[label].append(row)
    return sorted(row for rows in places.values() for row in rows[::step])


def copy_head_parameters(model: nn.Module, heads: Sequence[str]) -> dict[str, Tensor]:
    """The parameters of these heads, by name, as they are now."""
    named = model.named_parameters()
    return {name: value.detach().clone() for name, value in named if set(name.split(".")) & set(heads)}


def _fit_first_to_mean(vectors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias of the ridge regression from each text's first token to the direction of its mean."""
    import torch
    from torch.nn.functional import normalize

    first = torch.stack([text[0] for text in vectors]).double()
    mean = normalize(torch.stack([text.mean(0) for text in vectors]).double(), dim=1) * POOLED_NORM
    inputs = torch.cat([first, torch.ones(len(first), 1, dtype=first.dtype)], dim=1)
    gram = inputs.T @ inputs
    gram += RIDGE * len(first) * torch.eye(len(gram), dtype=gram.dtype)
    found = torch.linalg.solve(gram, inputs.T @ mean).float()
    return found[:-1].T.contiguous(), found[-1].contiguous()


def _compute_centroid_head(read: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias by which the nearest centroid wins, seen from the mean of all."""
    import torch
    from torch.nn.functional import normalize

    count = int(labels.max()) + 1
    means = torch.stack([read[labels == label].mean(0) for label in range(count)])
    middle = means.mean(0)
    weight = normalize(means - middle, dim=1) * CENTROID_NORM
    return weight, -(weight @ middle)


def _compute_head_inputs(headed: Encoder, ids: TokenIdLists, report: Reporter | None) -> Tensor:
    """What the last layer reads of each text: (texts, width)."""
    from torch.nn import Identity

    last = _find_last_linear(headed.model)
    name = next(name for name, module in headed.model.named_modules() if module is last)
    parent, _, leaf = name.rpartition(".")
    owner = headed.model.get_submodule(parent)
    setattr(owner, leaf, Identity())
    try:
        return headed.compute_pair_logits([(list(text), [0] * len(text)) for text in ids], report)
    finally:
        setattr(owner, leaf, last)


def _find_last_linear(model: nn.Module) -> Any:
    """The last linear layer of the head."""
    from torch.nn import Linear

    return [module for module in model.get_submodule(CLASSIFIER_MODULE).modules() if isinstance(module, Linear)][-1]


def _find_pooler(model: nn.Module) -> Any:
    """The linear layer between the first token and the head, where there is one."""
    body: Any = model.base_model
    return getattr(getattr(body, POOLER_MODULE, None), "dense", None)


def _assign_linear(linear: Any, weight: Tensor, bias: Tensor) -> None:
    linear.weight.data.copy_(weight)
    linear.bias.data.copy_(bias)
