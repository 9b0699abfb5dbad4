"""After training with several labels a row: weight interpolation (WiSE-FT), calibration, and thresholds of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.api import FitJob
from factory_classify.classifier_files import write_head
from factory_classify.head_training import LOSS_DIGITS, HeldOut, choose_interpolation, keep_interpolation
from factory_classify.label_decisions import (
    SigmoidCalibration,
    choose_label_thresholds,
    choose_sigmoid_calibration,
    compute_log_losses,
    measure_label_calibration,
)
from factory_classify.logistic_head import LogisticHead

if TYPE_CHECKING:
    from factory_classify.multi_label_task import Membership
    from factory_classify.sentence_head import Heads


@dataclass(frozen=True, slots=True)
class TunedSets:
    """The threshold of each label, and what was chosen, for the manifest."""

    thresholds: Sequence[float]
    facts: dict[str, Any]


def tune_label_sets(job: FitJob, heads: Heads, held_out: HeldOut) -> TunedSets:
    """Rewrite the adapter in `job.out`, write its head, and return the thresholds.

    The interpolation weight follows from the log loss of the left-out rows, each weight with its own calibration.
    """
    members: Membership = held_out.targets
    if not len(members):
        job.report.note("no rows to choose on: all thresholds are a half, nothing is calibrated", warning=True)
        write_head(job.out, heads.trained)
        return TunedSets([0.5] * members.shape[1], {})
    share, losses = _choose_set_interpolation(held_out)
    logits = held_out.logits[share]
    calibration, reason = choose_sigmoid_calibration(logits, members, SigmoidCalibration())
    if reason:
        job.report.note(f"the probabilities are not calibrated: {reason}", warning=True)
    head = keep_interpolation(job, heads, share)
    # Scaled and shifted, the head returns calibrated logits in every library.
    bias = head.bias * calibration.scale + calibration.offset
    write_head(job.out, LogisticHead(head.weight * calibration.scale, bias))
    probabilities = calibration.compute_probabilities(logits)
    thresholds, chosen = choose_label_thresholds(probabilities, members)
    before, after = (measure_label_calibration(each, members)
                     for each in (SigmoidCalibration().compute_probabilities(logits), probabilities))
    job.report.note(
        f"calibration error (ECE) {before['ece']:.3f} to {after['ece']:.3f} on {len(members)} left-out rows, where "
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


def _choose_set_interpolation(held_out: HeldOut) -> tuple[float, dict[str, float]]:
    """Return the interpolation weight to keep, and the mean loss of each."""
    losses = {}
    for share, logits in held_out.logits.items():
        calibration, _ = choose_sigmoid_calibration(logits, held_out.targets, SigmoidCalibration())
        calibrated = calibration.scale * logits + calibration.offset
        losses[share] = compute_log_losses(calibrated, held_out.targets).mean(axis=1)
    tried = {f"{share:g}": round(float(each.mean()), LOSS_DIGITS) for share, each in losses.items()}
    return choose_interpolation(losses), tried
