"""After training, on validation rows: weight interpolation (WiSE-FT), temperature scaling, abstention threshold.

Weights between those before and after training are more accurate on texts unlike the training rows (Wortsman et al.
2022). With low-rank updates and a linear head, interpolation scales B and averages two heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from factory.api import Artifact, Encoder, FitJob
from factory_classify import abstention, calibration
from factory_classify.classifier_files import write_head
from factory_classify.logistic_head import LogisticHead
from factory_classify.none_score import OpenSet, describe_none_score, fit_none_score

if TYPE_CHECKING:
    from torch import Tensor

    from factory_classify.label_answers import Indices, Numbers
    from factory_classify.logistic_head import Vectors


def tune_after_training(
    job: FitJob, heads: tuple[LogisticHead, LogisticHead], right: Sequence[int],
    embed: Callable[[Encoder], Vectors], shares: Sequence[float], target_accuracy: float,
    open_set: OpenSet | None = None,
) -> dict[str, Any]:
    """Rewrite the adapter in `job.out`, write its head, and return what was chosen, for the manifest.

    `heads` are those before and after training, `right` the label indices of the validation rows (-1 for a label
    without training rows); `embed` returns the embeddings of these rows. Of the interpolation weights in `shares`, the
    one with the lowest negative log-likelihood, each at its own temperature, is taken. `open_set` is the label that
    means none of the others; `none` of what is returned, if there, replaces its logit.
    """
    import numpy as np

    known = np.array(right, dtype=np.int64) >= 0
    if unknown := int((~known).sum()):
        subject = "1 validation row has a label" if unknown == 1 else f"{unknown} validation rows have labels"
        job.report.note(f"{subject} without training rows", warning=True)
    if not known.any():
        job.report.note("no validation rows: the probabilities are not calibrated", warning=True)
        if open_set is not None:
            job.report.note(describe_none_score(open_set, None, {}), warning=True)
        write_head(job.out, heads[1])
        return {}
    targets, trained, trials = np.array(right)[known], job.kit.load_adapter_tensors(job.out), {}
    for share, every in iterate_interpolations(job, trained, heads, embed, shares):
        logits = every[known]
        temperature, reason = calibration.choose_temperature(logits, targets)
        trials[share] = (calibration.compute_nll(logits / temperature, targets), temperature, reason, logits)
    share = min(trials, key=lambda candidate: (round(trials[candidate][0], 4), candidate))
    _, temperature, reason, logits = trials[share]
    if reason:
        job.report.note(f"the temperature stays 1, the probabilities are not calibrated: {reason}", warning=True)
    job.kit.save_adapter_tensors(job.out, scale_update(trained, share))
    head = interpolate_heads(heads, share)
    # Divided by the temperature, the head returns calibrated probabilities in every library.
    write_head(job.out, LogisticHead(head.weight / temperature, head.bias / temperature))
    tried = {f"{candidate:g}": round(value[0], 4) for candidate, value in trials.items()}
    record: dict[str, Any] = {"kept": share, "tried": tried}
    tuned = logits / temperature
    if open_set is not None:
        score, losses = fit_none_score(open_set, tuned, targets)
        job.report.note(describe_none_score(open_set, score, losses), warning=score is None)
        if score is not None:
            tuned, record["none"] = score.replace_logit(tuned, open_set.index), asdict(score)
    return {**record, **_report_calibration(job, (logits, tuned), targets, temperature, target_accuracy)}


def iterate_interpolations(
    job: FitJob, trained: Mapping[str, Tensor], heads: tuple[LogisticHead, LogisticHead],
    embed: Callable[[Encoder], Vectors], shares: Sequence[float],
) -> Iterator[tuple[float, Numbers]]:
    """Yield each interpolation weight and the logits of the validation rows there: (rows, labels).

    `trained` are the tensors of the adapter in `job.out`, which is left at the last weight.
    """
    artifact = Artifact("adapter", job.out, job.base)
    for share in shares:
        job.kit.save_adapter_tensors(job.out, scale_update(trained, share))
        vectors = embed(job.kit.load_encoder(job.base, artifact))
        yield share, interpolate_heads(heads, share).compute_logits(vectors)


def scale_update(trained: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Scale the update of every layer: it is B @ A, and B is zero before training."""
    return {name: value * share if name.endswith(".lora_B.weight") else value for name, value in trained.items()}


def interpolate_heads(heads: tuple[LogisticHead, LogisticHead], share: float) -> LogisticHead:
    """Interpolate between the heads before (share 0) and after training (share 1)."""
    start, trained = heads
    return LogisticHead(
        (1 - share) * start.weight + share * trained.weight, (1 - share) * start.bias + share * trained.bias
    )


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
