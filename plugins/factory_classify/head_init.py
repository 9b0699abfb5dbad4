"""Initialisation of a classification head from the training texts, so that training starts close to its goal.

BERT's head reads the first token through a pooler, while sentence encoders are trained on the mean of all tokens. The
pooler is initialised as the linear map from the first token to the mean, fitted on the training texts, and the last
layer with the centroids of the labels. An all-MiniLM-L6-v2 initialised in this way has an accuracy of 79 % on BANKING77
with ten texts per label before any training; a random head needs most of the training to reach it.
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
"""Norm of a pooled mean: keeps its components where tanh is almost linear."""
CENTROID_NORM = 4.0
"""Norm of a centroid in the head: the initial probabilities are neither flat nor overconfident."""
RIDGE = 1e-4
MAX_INIT_TOKENS = 250_000
"""Tokens of texts for initialisation: enough for a 400 × 400 linear map and the centroids."""

TokenIdLists = Sequence[Sequence[int]]


def initialise_head(
    model: nn.Module, plain: Encoder, headed: Encoder, ids: TokenIdLists, labels: Tensor, *, mean: bool,
    report: Reporter | None = None,
) -> None:
    """Initialise the head of `model` from training texts; `plain` is the base, `headed` one with a scratch head."""
    chosen = sample_texts_by_label(ids, labels.tolist())
    ids, labels = [ids[row] for row in chosen], labels[chosen]
    if mean and _find_pooler(model) is not None:
        weight, bias = _fit_first_to_mean(plain.compute_token_vectors(ids, report))
        for target in (model, headed.model):
            _assign_linear(_find_pooler(target), weight, bias)
    weight, bias = _compute_centroid_head(_compute_head_inputs(headed, ids, report), labels)
    _assign_linear(_find_last_linear(model), weight, bias)


def sample_texts_by_label(ids: TokenIdLists, labels: Sequence[int], max_tokens: int = MAX_INIT_TOKENS) -> list[int]:
    """Return the indices of the texts to use: all, or every k-th of each label if they have too many tokens."""
    step, rows_by_label = -(-sum(map(len, ids)) // max_tokens), defaultdict[int, list[int]](list)
    for row, label in enumerate(labels):
        rows_by_label[label].append(row)
    return sorted(row for rows in rows_by_label.values() for row in rows[::step])


def copy_head_parameters(model: nn.Module, heads: Sequence[str]) -> dict[str, Tensor]:
    """Return a copy of the parameters of these modules, by name."""
    parameters = model.named_parameters()
    return {name: value.detach().clone() for name, value in parameters if set(name.split(".")) & set(heads)}


def _fit_first_to_mean(vectors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Fit a ridge regression from the first token of a text to its normalised mean; return weight and bias."""
    import torch
    from torch.nn.functional import normalize

    first = torch.stack([text[0] for text in vectors]).double()
    mean = normalize(torch.stack([text.mean(0) for text in vectors]).double(), dim=1) * POOLED_NORM
    inputs = torch.cat([first, torch.ones(len(first), 1, dtype=first.dtype)], dim=1)
    gram = inputs.T @ inputs
    gram += RIDGE * len(first) * torch.eye(len(gram), dtype=gram.dtype)
    solution = torch.linalg.solve(gram, inputs.T @ mean).float()
    return solution[:-1].T.contiguous(), solution[-1].contiguous()


def _compute_centroid_head(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a linear layer by which the nearest centroid wins, relative to the mean centroid."""
    import torch
    from torch.nn.functional import normalize

    means = torch.stack([inputs[labels == label].mean(0) for label in range(int(labels.max()) + 1)])
    middle = means.mean(0)
    weight = normalize(means - middle, dim=1) * CENTROID_NORM
    return weight, -(weight @ middle)


def _compute_head_inputs(headed: Encoder, ids: TokenIdLists, report: Reporter | None) -> Tensor:
    """Return the inputs of the last layer for each text, (texts, width)."""
    from torch.nn import Identity

    last = _find_last_linear(headed.model)
    parent, _, leaf = next(name for name, module in headed.model.named_modules() if module is last).rpartition(".")
    owner = headed.model.get_submodule(parent)
    # Without the last layer, the logits are its inputs.
    setattr(owner, leaf, Identity())
    try:
        return headed.compute_pair_logits([(list(text), [0] * len(text)) for text in ids], report)
    finally:
        setattr(owner, leaf, last)


def _find_last_linear(model: nn.Module) -> Any:
    """Return the last linear layer of the head."""
    from torch.nn import Linear

    return [module for module in model.get_submodule(CLASSIFIER_MODULE).modules() if isinstance(module, Linear)][-1]


def _find_pooler(model: nn.Module) -> Any:
    """Return the linear layer between the first token and the head, or None."""
    return getattr(getattr(model.base_model, POOLER_MODULE, None), "dense", None)


def _assign_linear(linear: Any, weight: Tensor, bias: Tensor) -> None:
    linear.weight.data.copy_(weight)
    linear.bias.data.copy_(bias)
