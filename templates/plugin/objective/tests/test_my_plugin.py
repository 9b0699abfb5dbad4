"""What the objective owes whoever builds with it, and what it is for."""

import torch
from my_plugin.objective import MyPlugin

from factory.testing import build_conformance_suite

test_it_keeps_the_contract = build_conformance_suite("my_plugin")

LOGITS = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.1, 0.0]])
TOKENS = torch.tensor([0, 1])


def test_without_gamma_it_is_cross_entropy() -> None:
    plain = torch.nn.functional.cross_entropy(LOGITS, TOKENS)
    assert torch.allclose(MyPlugin(gamma=0).loss(LOGITS, TOKENS), plain)


def test_what_is_known_already_hardly_counts() -> None:
    known, unknown = (MyPlugin(gamma=2).loss(LOGITS[[n]], TOKENS[[n]]) for n in (0, 1))
    assert known < 1e-9 and unknown > 0.3
