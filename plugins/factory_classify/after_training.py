"""After training, on validation rows: weight interpolation (WiSE-FT), temperature scaling, abstention threshold.

Weights between those before and after training are more accurate on texts unlike the training rows (Wortsman et al.
2022). With low-rank updates and a head initialised from centroids, interpolation scales B and averages two heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.api import Artifact, Encoder, FitJob
from factory_classify import calibration, head_init

if TYPE_CHECKING:
    from torch import Tensor

    from factory_classify.label_answers import Indices, Numbers

PEFT_NAME_PREFIX = "base_model.model."


def tune_after_training(
    job: FitJob, start: Mapping[str, Tensor], labels: int, right: Sequence[int],
    compute_logits: Callable[[Encoder], Numbers], shares: Sequence[float], target_accuracy: float,
) -> dict[str, Any]:
    """Rewrite the adapter in `job.out`, and return the chosen weight, temperature and threshold for the manifest.

    `start` has the parameters of the head before training, `right` the label indices of the validation rows (-1 for a
    label without training rows); `compute_logits` returns their logits (rows, labels). Of the interpolation weights in
    `shares`, the one with the lowest negative log-likelihood, each at its own temperature, is taken.
    """
    import numpy as np

    known = np.array(right) >= 0
    if unknown := int((~known).sum()):
        subject = "1 validation row has a label" if unknown == 1 else f"{unknown} validation rows have labels"
        job.report.note(f"{subject} without training rows", warning=True)
    if not known.any():
        job.report.note("no validation rows: the probabilities are not calibrated", warning=True)
        return {}
    artifact = Artifact("adapter", job.out, job.base)
    targets, trained, trials = np.array(right)[known], job.kit.load_adapter_tensors(job.out), {}
    for share in shares:
        job.kit.save_adapter_tensors(job.out, _interpolate_weights(trained, start, share))
        logits = compute_logits(job.kit.load_encoder(job.base, artifact, labels=labels))[known]
        temperature = calibration.fit_temperature(logits, targets)
        trials[share] = (calibration.compute_nll(logits / temperature, targets), temperature, logits)
    share = min(trials, key=lambda candidate: (round(trials[candidate][0], 4), candidate))
    _, temperature, logits = trials[share]
    job.kit.save_adapter_tensors(job.out, _fold_temperature(_interpolate_weights(trained, start, share), temperature))
    record = {"kept": share, "tried": {f"{candidate:g}": round(value[0], 4) for candidate, value in trials.items()}}
    return {**record, **_report_calibration(job, logits, targets, temperature, target_accuracy)}


def _report_calibration(
    job: FitJob, logits: Numbers, right: Indices, temperature: float, target_accuracy: float
) -> dict[str, Any]:
    """Return temperature, calibration and abstention threshold, and note them."""
    before, after = _measure_calibration(logits, right), _measure_calibration(logits / temperature, right)
    confidences, hits = calibration.compute_confidences(logits / temperature, right)
    threshold, coverage = calibration.find_abstention_threshold(confidences, hits, target_accuracy)
    job.report.note(
        f"temperature {temperature:.3f}: calibration error (ECE) {before['ece']:.3f} to {after['ece']:.3f} on "
        f"{len(right)} validation rows; abstaining below {threshold:.2f} answers {coverage:.0%} of them at "
        f"{target_accuracy:.0%} accuracy"
    )
    return {
        "temperature": round(temperature, 4), "validation": {"rows": len(right), "before": before, "after": after},
        "abstain": {"wanted": target_accuracy, "below": round(threshold, 4), "coverage": round(coverage, 4)},
    }


def _measure_calibration(logits: Numbers, right: Indices) -> dict[str, float]:
    confidences, hits = calibration.compute_confidences(logits, right)
    ece = calibration.compute_ece(list(calibration.split_equal_mass_bins(confidences, hits)))
    nll = calibration.compute_nll(logits, right)
    return {"accuracy": round(sum(hits) / len(hits), 4), "nll": round(nll, 4), "ece": round(ece, 4)}


def _interpolate_weights(trained: Mapping[str, Tensor], start: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Interpolate between the weights before (share 0) and after training (share 1)."""
    weights = {}
    for name, value in trained.items():
        before = start.get(name.removeprefix(PEFT_NAME_PREFIX))
        if before is not None:
            weights[name] = (1 - share) * before + share * value
        else:
            # A LoRA update is B @ A, and B is zero before training: scaling B alone scales the update.
            weights[name] = value * share if name.endswith(".lora_B.weight") else value
    return weights


def _fold_temperature(tensors: Mapping[str, Tensor], temperature: float) -> dict[str, Tensor]:
    """Divide the last layer of the head by a temperature, so that every library returns calibrated probabilities."""
    heads = [name.rpartition(".")[0] for name, value in tensors.items()
             if f".{head_init.CLASSIFIER_MODULE}." in name and value.dim() == 2]
    last = {f"{heads[-1]}.weight", f"{heads[-1]}.bias"}
    return {name: value / temperature if name in last else value for name, value in tensors.items()}
