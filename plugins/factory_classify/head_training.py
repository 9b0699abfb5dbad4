"""Trains a classifier and leaves rows out to choose what follows: interpolation, calibration and thresholds.

The interpolation is that of WiSE-FT (Wortsman et al. 2022): weights between those before and after training are more
accurate on texts unlike the training rows. With low-rank updates and a linear head it scales B and averages two heads.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from factory.api import Artifact, FitJob, Row, TrainResult
from factory_classify.cross_validation import Fold, PartReporter, plan_held_out
from factory_classify.logistic_head import LogisticHead
from factory_classify.sentence_head import HeadExamples, Heads, SentenceHeadObjective

if TYPE_CHECKING:
    from torch import Tensor

    from factory_classify.label_answers import Numbers

LOSS_DIGITS = 4
"""Losses that are equal to so many digits are taken as equal."""

PEFT_PREFIX, LENGTHS = "base_model.model.", ".lora_magnitude_vector"
"""Around the name of a layer in PEFT's files, of the lengths that DoRA trains."""

StartFitter = Callable[[HeadExamples], LogisticHead]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What left-out rows say: by interpolation weight the logits (rows, labels) of models that did not train on them,
    and their targets. Without such rows there are no logits."""

    logits: Mapping[float, Numbers]
    targets: Any


@dataclass(frozen=True, slots=True)
class FittedHead:
    """The training whose adapter is in `job.out`, its heads, and what left-out rows say."""

    result: TrainResult
    heads: Heads
    held_out: HeldOut


def fit_and_hold_out(
    objective: SentenceHeadObjective, job: FitJob, rows: Sequence[Row], examples: HeadExamples,
    labels: Sequence[tuple[int, ...]], fit_start: StartFitter,
) -> FittedHead:
    """Train as `choose_on` says.

    `rows` are the training rows and after them the validation rows, with the examples and the labels of each;
    `fit_start` fits the head that a training starts with.
    """
    choose_on = objective.resolve_choose_on(keeps_best=job.train.keep == "best")
    plan = plan_held_out(choose_on, job.task, rows, labels, len(rows) - len(job.rows))
    if plan.folds and not plan.refit:
        return _fit_beside_fold(objective, job, examples, plan.folds[0], fit_start)
    if plan.folds:
        job.report.note(plan.describe(len(rows)))
    held_out = _collect_folds(objective, job, examples, plan.folds, fit_start)
    every = replace(job, report=_count_steps(job, plan.folds, len(plan.folds), len(rows)))
    result, heads = objective.train_with_head(every, fit_start(examples), examples, ())
    return FittedHead(replace(result, trained_on_validation=True), heads, held_out)


def _fit_beside_fold(
    objective: SentenceHeadObjective, job: FitJob, examples: HeadExamples, fold: Fold, fit_start: StartFitter
) -> FittedHead:
    """Train on the rows of a fold, and let the rows that it leaves out be answered at each interpolation weight."""
    trained, left_out = examples.take(fold.trained), examples.take(fold.left_out)
    result, heads = objective.train_with_head(job, fit_start(trained), trained, left_out.list_pairs())
    tensors, artifact = job.kit.load_adapter_tensors(job.out), Artifact(result.artifact, job.out, job.base)
    untuned, logits = _read_untuned_tensors(job, tensors), {}
    for share in objective.list_shares():
        job.kit.save_adapter_tensors(job.out, scale_update(tensors, share, untuned))
        vectors = objective.embed_tokens(job.kit.load_encoder(job.base, artifact), left_out.ids)
        logits[share] = interpolate_heads(heads, share).compute_logits(vectors)
    job.kit.save_adapter_tensors(job.out, tensors)
    return FittedHead(result, heads, HeldOut(logits, left_out.targets))


def _collect_folds(
    objective: SentenceHeadObjective, job: FitJob, examples: HeadExamples, folds: Sequence[Fold],
    fit_start: StartFitter,
) -> HeldOut:
    """Train once for each fold, and return what the rows that they leave out say together.

    The logits of a finished fold are kept in `job.work`: a killed training goes on with the next one.
    """
    import numpy as np

    shares, found = objective.list_shares(), []
    for number, fold in enumerate(folds):
        file, folder = job.work / f"left-out-{number}.npz", job.work / f"fold-{number}"
        logits = _read_logits(file, (len(shares), len(fold.left_out)))
        if logits is None:
            for name in ("out", "work"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            own = replace(job, out=folder / "out", work=folder / "work",
                          report=_count_steps(job, folds, number, len(examples.ids)))
            fitted = _fit_beside_fold(objective, own, examples, fold, fit_start)
            logits = np.stack([fitted.held_out.logits[share] for share in shares])
            _write_logits(file, logits)
        shutil.rmtree(folder, ignore_errors=True)
        found.append(logits)
    if not found:
        return HeldOut({}, examples.targets[:0])
    targets = np.concatenate([examples.targets[fold.left_out] for fold in folds])
    return HeldOut(dict(zip(shares, np.concatenate(found, axis=1), strict=True)), targets)


def _count_steps(job: FitJob, folds: Sequence[Fold], number: int, rows: int) -> PartReporter:
    """Return the reporter of a training: of the fold with this number, or after the last one that of all rows."""
    sizes = [*(len(fold.trained) for fold in folds), rows]
    steps = [ceil(ceil(size / job.train.batch_size) * job.train.epochs) for size in sizes]
    name = f"training {number + 1} of {len(steps)}" if number < len(folds) else ""
    return PartReporter(job.report, name, sum(steps[:number]), sum(steps))


def _write_logits(file: Path, logits: Numbers) -> None:
    """Write logits as a whole or not at all."""
    import numpy as np

    temporary = file.with_suffix(".new.npz")
    np.savez(temporary, logits=logits)
    temporary.replace(file)


def _read_logits(file: Path, shape: tuple[int, int]) -> Numbers | None:
    """Return the logits of a finished fold, whose shape begins so; None if there are none that can be read."""
    import numpy as np

    try:
        logits: Numbers = np.load(file)["logits"]
    except (OSError, ValueError, KeyError, BadZipFile):
        return None
    return logits if logits.shape[:2] == shape else None


def choose_interpolation(losses: Mapping[float, Numbers]) -> float:
    """Return the interpolation weight nearest to the trained model whose loss is within one standard error of the
    lowest; `losses` are those of each left-out row by weight.

    The one-standard-error rule (Breiman et al. 1984, section 3.4.3): of weights that these rows do not tell apart, the
    one with the lowest loss is mostly luck, and training is what the other rows are for.
    """
    import numpy as np

    best = min(losses, key=lambda share: (round(float(losses[share].mean()), LOSS_DIGITS), share))
    for share in sorted(losses, reverse=True):
        differences = losses[share] - losses[best]
        error = float(np.std(differences, ddof=1)) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
        if round(float(differences.mean()), LOSS_DIGITS) <= error:
            return share
    return best


def scale_update(
    trained: Mapping[str, Tensor], share: float, untuned: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Interpolate between the base (share 0) and a trained adapter, or trained weights (share 1).

    The update of a low-rank layer is B @ A, and B is zero before training, so that B is scaled. Whole weights and the
    lengths of DoRA are interpolated with those of `untuned`, the tensors of the base by name.
    """
    scaled = {}
    for name, value in trained.items():
        start = _find_start(name, untuned or {})
        if name.endswith(".lora_B.weight"):
            scaled[name] = value * share
        else:
            # Equal values stay equal to the last bit, which (1 - share) * start + share * value would not give.
            scaled[name] = value if start is None else (start + share * (value.float() - start)).to(value.dtype)
    return scaled


def _find_start(name: str, untuned: Mapping[str, Tensor]) -> Tensor | None:
    """Return what a trained tensor was before training, in fp32; None if it is new, or half of an update."""
    layer = name.removeprefix(PEFT_PREFIX).removesuffix(LENGTHS)
    start = untuned.get(f"{layer}.weight" if name.endswith(LENGTHS) else name)
    if start is None or not name.endswith(LENGTHS):
        return start if start is None else start.float()
    lengths: Tensor = start.float().norm(dim=1)
    return lengths


def _read_untuned_tensors(job: FitJob, trained: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the base, if what was trained is more than low-rank updates."""
    if all(".lora_A." in name or ".lora_B." in name for name in trained):
        return {}
    return dict(job.kit.load_encoder(job.base).model.state_dict())


def interpolate_heads(heads: Heads, share: float) -> LogisticHead:
    """Interpolate between the heads before (share 0) and after training (share 1)."""
    start, trained = heads
    return LogisticHead(
        (1 - share) * start.weight + share * trained.weight, (1 - share) * start.bias + share * trained.bias
    )


def keep_interpolation(job: FitJob, heads: Heads, share: float) -> LogisticHead:
    """Rewrite the artifact in `job.out` at an interpolation weight, and return the head there."""
    tensors = job.kit.load_adapter_tensors(job.out)
    job.kit.save_adapter_tensors(job.out, scale_update(tensors, share, _read_untuned_tensors(job, tensors)))
    return interpolate_heads(heads, share)
