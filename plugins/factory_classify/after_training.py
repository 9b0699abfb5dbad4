"""After training, on rows that were left out of it: interpolation, temperature scaling, abstention threshold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from factory.api import FitJob
from factory_classify import abstention, calibration
from factory_classify.classifier_files import write_head
from factory_classify.head_training import LOSS_DIGITS, HeldOut, choose_interpolation, keep_interpolation
from factory_classify.logistic_head import LogisticHead
from factory_classify.none_score import OpenSet, describe_none_score, fit_none_score

if TYPE_CHECKING:
    from factory_classify.label_answers import Indices, Numbers
    from factory_classify.sentence_head import Heads


def tune_after_training(
    job: FitJob, heads: Heads, held_out: HeldOut, target_accuracy: float, open_set: OpenSet | None = None
) -> dict[str, Any]:
    """Rewrite the adapter in `job.out`, write its head, and return what was chosen, for the manifest.

    The interpolation weight follows from the negative log-likelihood of the left-out rows, each weight at its own
    temperature. `open_set` is the label that means none of the others; `none` of what is returned, if there,
    replaces its logit.
    """
    targets, trials = held_out.targets, {}
    if not len(targets):
        job.report.note("no rows to choose on: the probabilities are not calibrated", warning=True)
        if open_set is not None:
            job.report.note(describe_none_score(open_set, None, {}), warning=True)
        write_head(job.out, heads.trained)
        return {}
    for share, logits in held_out.logits.items():
        temperature, reason = calibration.choose_temperature(logits, targets)
        trials[share] = (calibration.compute_row_nlls(logits / temperature, targets), temperature, reason)
    losses = {share: trial[0] for share, trial in trials.items()}
    share = choose_interpolation(losses)
    _, temperature, reason = trials[share]
    if reason:
        job.report.note(f"the temperature stays 1, the probabilities are not calibrated: {reason}", warning=True)
    head = keep_interpolation(job, heads, share)
    # Divided by the temperature, the head returns calibrated probabilities in every library.
    write_head(job.out, LogisticHead(head.weight / temperature, head.bias / temperature))
    tried = {f"{candidate:g}": round(float(values.mean()), LOSS_DIGITS) for candidate, values in losses.items()}
    record: dict[str, Any] = {"kept": share, "tried": tried}
    logits = held_out.logits[share]
    tuned = logits / temperature
    if open_set is not None:
        score, compared = fit_none_score(open_set, tuned, targets)
        job.report.note(describe_none_score(open_set, score, compared), warning=score is None)
        if score is not None:
            tuned, record["none"] = score.replace_logit(tuned, open_set.index), asdict(score)
    return {**record, **_report_calibration(job, (logits, tuned), targets, temperature, target_accuracy)}


def _report_calibration(
    job: FitJob, logits: tuple[Numbers, Numbers], right: Indices, temperature: float, target_accuracy: float
) -> dict[str, Any]:
    """Return temperature, calibration and abstention threshold, and note them; `logits` are those before and after."""
    before, after = (_measure_calibration(each, right) for each in logits)
    confidences, hits = calibration.compute_confidences(logits[1], right)
    promised = abstention.certify_abstention_threshold(confidences, hits, target_accuracy)
    measured = abstention.find_abstention_threshold(confidences, hits, target_accuracy)
    chosen = promised if promised.answered else measured
    job.report.note(
        f"temperature {temperature:.3f}: calibration error (ECE) {before['ece']:.3f} to {after['ece']:.3f} on "
        f"{len(right)} left-out rows, where calibrated answers show {after['ece_floor']:.3f} by chance; "
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
