"""What an encoder answers on a GPU that torch only pretends to have; run as a script with a folder, it prints JSON.

Tensors have shapes and devices but no values. Torch refuses to mix two devices, as it does on a real machine.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from tiny_parts import base
from torch._subclasses import FakeTensorMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from factory.ml import encoder

TEXTS = [[2, 7, 9, 3], [2, 5, 3]]
PAIRS = [([2, 7, 9, 3], [0, 0, 1, 1]), ([2, 5, 3], [0, 0, 0])]


def main(folder: Path) -> None:
    _setup_privateuseone_for_python_backend("pretended")  # for the whole process: hence a script
    base(folder)
    model = folder / "model"
    plain, headed = encoder.load_encoder(model), encoder.load_encoder(model, labels=2)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        for each in (plain.model, headed.model):
            move(each, mode)
        print(json.dumps({
            "vectors": describe(plain.compute_token_vectors(TEXTS)),
            "logits": describe([headed.compute_pair_logits(PAIRS)]),
        }))


def move(model: Any, mode: FakeTensorMode) -> None:
    """Put each parameter and buffer on the pretended device."""
    for module in model.modules():
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = torch.nn.Parameter(mode.from_tensor(value.detach()).to("pretended"))
        for name, value in module._buffers.items():
            module._buffers[name] = mode.from_tensor(value).to("pretended")



def describe(tensors: Any) -> list[list[Any]]:
    return [[list(tensor.shape), str(tensor.device)] for tensor in tensors]


main(Path(sys.argv[1]))
