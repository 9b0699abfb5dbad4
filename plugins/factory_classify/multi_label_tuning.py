"""After training with several labels a row: weight interpolation (WiSE-FT), calibration, and thresholds of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.api import Encoder, FitJob
from factory_classify.after_training import interpolate_heads, iterate_interpolations, scale_update
from factory_classify.classifier_files import write_head
from factory_classify.label_decisions import (
    SigmoidCalibration,
    choose_label_thresholds,
    choose_sigmoid_calibration,
    compute_log_loss,
    measure_label_calibration,
)
from factory_classify.logistic_head import LogisticHead

if TYPE_CHECKING:
    from factory_classify.label_answers import Numbers
    from factory_classify.logistic_head import Vectors
    from factory_classify.multi_label_task import Membership

LOSS_DIGITS = 4
"""Weights whose losses are equal to so many digits are taken as equal: the one nearest to the start wins."""


@dataclass(frozen=True, slots=True)
class TunedSets:
    """The threshold of each label, and what was chosen, for the manifest."""

    thresholds: Sequence[float]
    facts: dict[str, Any]


def tune_label_sets(
    job: FitJob, heads: tuple[LogisticHead, LogisticHead], members: Membership,
    embed: Callable[[Encoder], Vectors], shares: Sequence[float],
) -> TunedSets:
    """Rewrite the adapter in `job.out`, write its head, and return the thresholds.

    `heads` are those before and after training, `members` the labels of the validation rows, whose embeddings `embed`
    returns. Of the interpolation weights in `shares`, the one with the lowest log loss, each with its own calibration,
    is taken.
    """
    if not len(members):
        job.report.note("no validation rows: all thresholds are a half, nothing is calibrated", warning=True)
        write_head(job.out, heads[1])
        return TunedSets([0.5] * members.shape[1], {})
    share, losses, logits = _choose_set_interpolation(job, heads, members, embed, shares)
    calibration, reason = choose_sigmoid_calibration(logits, members, SigmoidCalibration())
    if reason:
        job.report.note(f"the probabilities are not calibrated: {reason}", warning=True)
    head = interpolate_heads(heads, share)
    # Scaled and shifted, the head returns calibrated logits in every library.
    bias = head.bias * calibration.scale + calibration.offset
    write_head(job.out, LogisticHead(head.weight * calibration.scale, bias))
    probabilities = calibration.compute_probabilities(logits)
    thresholds, chosen = choose_label_thresholds(probabilities, members)
    before, after = (measure_label_calibration(each, members)
                     for each in (SigmoidCalibration().compute_probabilities(logits), probabilities))
    job.report.note(
        f"calibration error (ECE) {before['ece']:.3f} to {after['ece']:.3f} on {len(members)} validation rows, where "
        f"calibrated answers show {after['ece_floor']:.3f} by chance; thresholds: {chosen['own']} labels have their "
        f"own, the others {chosen['common']:.2f}; example-based F1 with them {chosen['example_f1']:.3f}"
    )
    facts = {
        "kept": share, "tried": losses, "scale": round(calibration.scale, 4), "offset": round(calibration.offset, 4),
        "validation": {name: {key: round(value, 4) for key, value in each.items()}
                       for name, each in (("before", before), ("after", after))},
        "thresholds": chosen,
    }
    return TunedSets(thresholds.tolist(), facts)


def _choose_set_interpolation(
    job: FitJob, heads: tuple[LogisticHead, LogisticHead], members: Membership,
    embed: Callable[[Encoder], Vectors], shares: Sequence[float],
) -> tuple[float, dict[str, float], Numbers]:
    """Save the adapter at the best weight; return this weight, the loss of each, and the logits at the best one."""
    trained = job.kit.load_adapter_tensors(job.out)
    losses: dict[float, float] = {}
    logits: dict[float, Numbers] = {}
    for share, found in iterate_interpolations(job, trained, heads, embed, shares):
        calibration, _ = choose_sigmoid_calibration(found, members, SigmoidCalibration())
        logits[share] = found
        losses[share] = compute_log_loss(calibration.scale * found + calibration.offset, members)
    best = min(shares, key=lambda share: (round(losses[share], LOSS_DIGITS), share))
    job.kit.save_adapter_tensors(job.out, scale_update(trained, best))
    return best, {f"{share:g}": round(loss, LOSS_DIGITS) for share, loss in losses.items()}, logits[best]
