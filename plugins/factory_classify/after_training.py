"""After training, on validation rows: weight interpolation (WiSE-FT), temperature scaling, abstention threshold.

Weights between those before and after training are more accurate on texts unlike the training rows (Wortsman et al.
2022). With low-rank updates and a head initialised from centroids, interpolation scales B and averages two heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.api import Artifact, Encoder, FitJob
from factory_classify import abstention, calibration, head_init

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
        temperature, _ = calibration.choose_temperature(logits, targets)
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
    if reason := calibration.choose_temperature(logits, right)[1]:
        job.report.note(f"the temperature stays 1, the probabilities are not calibrated: {reason}", warning=True)
    confidences, hits = calibration.compute_confidences(logits / temperature, right)
    promised = abstention.certify_abstention_threshold(confidences, hits, target_accuracy)
    measured = abstention.find_abstention_threshold(confidences, hits, target_accuracy)
    chosen = promised if promised.answered else measured
    job.report.note(
        f"temperature {temperature:.3f}: calibration error (ECE) {before['ece']:.3f} to {after['ece']:.3f} on "
        f"{len(right)} validation rows, where calibrated answers show {after['ece_floor']:.3f} by chance; "
        f"{_describe_threshold(chosen, target_accuracy, bool(promised.answered))}"
    )
    return {
        "temperature": round(temperature, 4), "validation": {"rows": len(right), "before": before, "after": after},
        "abstain": {
            "wanted": target_accuracy, "below": chosen.below, "coverage": round(chosen.coverage, 4),
            "promised": bool(promised.answered),
        },
    }


def _describe_threshold(chosen: abstention.AbstentionThreshold, wanted: float, promised: bool) -> str:
    """Return what a threshold answers, and whether its accuracy is a promise or only measured."""
    if not chosen.answered:
        return f"no abstention threshold answers at {wanted:.0%} accuracy"
    answers = f"abstaining below {chosen.below:.2f} answers {chosen.coverage:.0%} of them"
    if promised:
        return f"{answers}, and new rows at {wanted:.0%} accuracy or more (95 % confidence)"
    return f"{answers} at {wanted:.0%} accuracy as measured, which these rows are too few to promise for new ones"


def _measure_calibration(logits: Numbers, right: Indices) -> dict[str, float]:
    confidences, hits = calibration.compute_confidences(logits, right)
    figures = {
        "accuracy": sum(hits) / len(hits), "nll": calibration.compute_nll(logits, right),
        "ece": calibration.compute_ece(list(calibration.split_equal_mass_bins(confidences, hits))),
        "ece_floor": calibration.compute_ece_floor(confidences),
    }
    return {name: round(value, 4) for name, value in figures.items()}


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
