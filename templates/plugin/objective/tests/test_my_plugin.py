"""Tests of the objective: the plugin contract, and its own behaviour."""

import torch
from my_plugin.objective import MyPlugin

from factory.testing import build_conformance_suite

test_conforms = build_conformance_suite("my_plugin")

LOGITS = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.1, 0.0]])
TOKENS = torch.tensor([0, 1])


def test_without_gamma_it_is_cross_entropy() -> None:
    expected = torch.nn.functional.cross_entropy(LOGITS, TOKENS)
    assert torch.allclose(MyPlugin(gamma=0).compute_loss(LOGITS, TOKENS), expected)


def test_a_well_predicted_token_has_little_weight() -> None:
    known, unknown = (MyPlugin(gamma=2).compute_loss(LOGITS[[n]], TOKENS[[n]]) for n in (0, 1))
    assert known < 1e-9 and unknown > 0.3
