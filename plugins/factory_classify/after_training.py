"""What is settled when a fit is over, on validation rows: how much of it is kept, its temperature, when to abstain.

A model half way between where it started and where training took it errs less on texts unlike those it learned from
(WiSE-FT, Wortsman et al. 2022). With low-rank updates and a head that starts from centroids, half way is a number by
which B is multiplied, and a mean of two heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.api import Encoder, FitJob
from factory_classify import head_init
from factory_classify.calibration import (
    compute_confidences,
    compute_ece,
    compute_nll,
    find_abstention_threshold,
    fit_temperature,
    split_equal_mass_bins,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Numbers = NDArray[np.float64]

ADAPTER_WEIGHTS_FILE = "adapter_model.safetensors"
PEFT_NAME_PREFIX = "base_model.model."

LogitsReader = Callable[[Encoder], "Numbers"]


def tune_after_training(
    job: FitJob, start: Mapping[str, Tensor], labels: int, right: Sequence[int], read: LogitsReader,
    shares: Sequence[float],
    wanted: float,
) -> dict[str, Any]:
    """Rewrite the adapter in `job.out`, and say what was chosen.

    `start` is the head before training, by parameter; `right` the places of the validation rows' labels, -1 for one
    that training lacks; `read` gives the logits (rows, labels) of the validation rows. Of the `shares` of the training
    that may be kept the one with the least negative log-likelihood, each at its own temperature, is taken.
    """
    import numpy as np

    known = np.array(right) >= 0
    if not known.all():
        job.report.note(f"{(~known).sum()} validation rows have labels that no training row has", warning=True)
    if not known.any():
        job.report.note("no validation rows: the probabilities stay as they are learned", warning=True)
        return {}
    targets, learned, tried = np.array(right)[known], _load_adapter_tensors(job.out), {}
    for share in shares:
        _save_adapter_tensors(job.out, _interpolate_weights(learned, start, share))
        logits = read(job.kit.load_encoder(job.base, job.out, labels=labels))[known]
        temperature = fit_temperature(logits, targets)
        tried[share] = (compute_nll(logits / temperature, targets), temperature, logits)
    share = min(tried, key=lambda one: (round(tried[one][0], 4), one))
    _, temperature, logits = tried[share]
    _save_adapter_tensors(job.out, _fold_temperature(_interpolate_weights(learned, start, share), temperature))
    facts = {"kept": share, "tried": {f"{one:g}": round(value[0], 4) for one, value in tried.items()}}
    return {**facts, **_report_calibration(job, logits, targets, temperature, wanted)}


def _report_calibration(
    job: FitJob, logits: Numbers, right: NDArray[np.int64], temperature: float, wanted: float
) -> dict[str, Any]:
    """The facts of the temperature and of the threshold below which to abstain, also as a note."""
    before, after = _measure_calibration(logits, right), _measure_calibration(logits / temperature, right)
    least, coverage = find_abstention_threshold(*compute_confidences(logits / temperature, right), wanted)
    job.report.note(
        f"temperature {temperature:.3f}: calibration error {before['ece']:.3f} to {after['ece']:.3f} on {len(right)} "
        f"validation rows; abstaining below {least:.2f} answers {coverage:.0%} of them, at {wanted:.0%} accuracy"
    )
    return {
        "temperature": round(temperature, 4), "validation": {"rows": len(right), "before": before, "after": after},
        "abstain": {"wanted": wanted, "below": round(least, 4), "coverage": round(coverage, 4)},
    }


def _measure_calibration(logits: Numbers, right: NDArray[np.int64]) -> dict[str, float]:
    sure, hits = compute_confidences(logits, right)
    error = compute_ece(list(split_equal_mass_bins(sure, hits)))
    return {"accuracy": round(sum(hits) / len(hits), 4), "nll": round(compute_nll(logits, right), 4),
            "ece": round(error, 4)}


def _interpolate_weights(learned: Mapping[str, Tensor], start: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """So much of the way from the start: each update times the share, each head between its two ends."""
    kept = {}
    for name, value in learned.items():
        before = start.get(name.removeprefix(PEFT_NAME_PREFIX))
        if before is not None:
            kept[name] = (1 - share) * before + share * value
        else:
            kept[name] = value * share if name.endswith(".lora_B.weight") else value
    return kept


def _fold_temperature(saved: Mapping[str, Tensor], temperature: float) -> dict[str, Tensor]:
    """The head's last layer divided by a temperature: every library then gives calibrated probabilities."""
    heads = [name.rpartition(".")[0] for name, value in saved.items()
             if f".{head_init.CLASSIFIER_MODULE}." in name and value.dim() == 2]
    last = {f"{heads[-1]}.weight", f"{heads[-1]}.bias"}
    return {name: value / temperature if name in last else value for name, value in saved.items()}


def _load_adapter_tensors(adapter: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    saved: dict[str, Tensor] = load_file(adapter / ADAPTER_WEIGHTS_FILE)
    return saved


def _save_adapter_tensors(adapter: Path, tensors: dict[str, Tensor]) -> None:
    from safetensors.torch import save_file

    save_file(tensors, adapter / ADAPTER_WEIGHTS_FILE, metadata={"format": "pt"})
