"""A decoder of two layers for the tests of preferences, which answers in fp32 where a test compares numbers."""

from __future__ import annotations

import pytest
import torch
from tiny_decoder import tiny_decoder

from factory.api import Base
from factory.ml.cpu import backend as cpu
from factory.ml.hf import backend as hf


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"))


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cpu, hf):
        monkeypatch.setattr(module, "choose_inference_dtype", lambda: torch.float32)
