"""Training that goes on from an artifact: the same adapter over the same base, with the weights that it has."""

from __future__ import annotations

import torch
from peft import PeftConfig

from factory.api import Artifact, FitJob
from factory.ml.adapter_files import PEFT_PREFIX, load_adapter_tensors
from factory.ml.trainer import Learner


def load_start_adapter(learner: Learner, start: Artifact, job: FitJob) -> None:
    """Give the adapter of a learner the weights of a saved one, in place.

    Raises ValueError for another kind of artifact, another base, rank or alpha, and for an adapter of other layers.
    """
    if start.kind != "adapter":
        raise ValueError(f"a training step can go on from an adapter, not from an artifact of the kind {start.kind!r}")
    if start.base.digest != job.base.digest:
        raise ValueError(f"the adapter to start from is of {start.base.id}, not of {job.base.id}")
    saved: PeftConfig = PeftConfig.from_pretrained(str(start.folder))
    for name, stated, wanted in (("rank", saved.r, job.adapter.rank), ("alpha", saved.lora_alpha, job.adapter.alpha)):
        if stated != wanted:
            raise ValueError(f"the adapter to start from has {name} {stated:g}, adapter.{name} is {wanted:g}; use one")
    tensors = {name.removeprefix(PEFT_PREFIX): value for name, value in load_adapter_tensors(start.folder).items()}
    own = learner.collect_adapter_tensors()
    if other := sorted(own.keys() ^ tensors.keys()):
        raise ValueError(f"the adapter to start from has other layers than this objective trains, such as {other[0]!r}")
    with torch.no_grad():
        for name, parameter in own.items():  # they share the memory of the learner's parameters
            parameter.copy_(tensors[name])
