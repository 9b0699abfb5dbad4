"""The rules of advice, as a table: the first rule that holds decides, the other facts become further reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from factory.advise.survey import PROMPTED, ContenderEstimate, Survey

PROMPT, RETRIEVE, FINE_TUNE, GET_MORE_DATA = "PROMPT", "RETRIEVE", "FINE_TUNE", "GET_MORE_DATA"

MIN_TRAINING_ROWS, ENOUGH_TRAINING_ROWS = 100, 500
"""With fewer training rows than the first, fine-tuning adds little to a few-shot prompt; from the second on it pays."""
NEAR_CEILING_TOLERANCE = 0.05
"""A score this close to the ceiling counts as reaching it: the rest is within the noise of most labels."""
MIN_HEADROOM = 0.10
"""Room for improvement that makes fine-tuning on few rows worth a try."""
MIN_ROWS_PER_LABEL, MAX_THIN_LABEL_SHARE = 8, 0.2
"""Rows needed to learn a label, and the share of labels that may have fewer."""
SYNTHETIC_MAJORITY = 0.5
"""Share of synthetic rows above which the teacher's own score is the ceiling."""
LONG_INPUT_WORDS = 1500
"""Words of an input, at the 95th percentile, that may not fit the base model's context."""
MIN_RELIABLE_ROWS = 30
"""With fewer validation rows, intervals are too wide to rely on."""
FAST_CHANGES, SLOW_CHANGES = ("daily", "weekly"), ("monthly", "yearly")


@dataclass(frozen=True, slots=True)
class Advice:
    """A verdict, its reasons, the deciding one first, and cautions that hold for any verdict."""

    verdict: str
    reasons: tuple[str, ...]
    cautions: tuple[str, ...] = ()


AdviceRule = Callable[[Survey], Iterator[tuple[str, str]]]
"""A rule yields (verdict, reason) if it holds."""


def advise(survey: Survey) -> Advice:
    """Return the advice that follows from a survey."""
    decisions = (decision for rule in ADVICE_RULES for decision in rule(survey))
    verdict, why = next(decisions, (FINE_TUNE, _describe_row_count(survey)))
    return Advice(verdict, (why, *_list_other_reasons(survey, why)), tuple(_list_cautions(survey, verdict)))


def _check_fast_change(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.change in FAST_CHANGES:
        yield RETRIEVE, (
            f"the facts behind the answers change {survey.change}: a fine-tune is out of date before it ships; put the "
            "retrieved facts into the prompt, and fine-tune, if at all, how the model reads them"
        )


def _check_near_ceiling(survey: Survey) -> Iterator[tuple[str, str]]:
    best, (ceiling, basis) = survey.best, _find_ceiling(survey)
    if best and ceiling is not None and best.mean >= ceiling - NEAR_CEILING_TOLERANCE:
        name = "prompting" if best.sort == PROMPTED else f"{best.name}, which trains no model,"
        yield PROMPT, f"{name} is close to the best possible score: {_describe_score(best, survey)}; {basis}"


def _check_too_few_rows(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows < MIN_TRAINING_ROWS:
        yield GET_MORE_DATA, (
            f"{survey.rows} training rows are fewer than {MIN_TRAINING_ROWS}: use them as examples in a prompt, and "
            f"add or synthesize {ENOUGH_TRAINING_ROWS - survey.rows:,} more"
        )


def _check_thin_labels(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.labels and survey.thin > MAX_THIN_LABEL_SHARE * survey.labels:
        verb = "has" if survey.thin == 1 else "have"
        yield GET_MORE_DATA, (
            f"{survey.thin} of {survey.labels} labels {verb} fewer than {MIN_ROWS_PER_LABEL} training rows (the rarest "
            f"has {survey.rarest}), too few to learn a label; add or synthesize rows with the rare labels"
        )


def _check_poor_teacher(survey: Survey) -> Iterator[tuple[str, str]]:
    teacher, best = survey.teacher, survey.best
    if not teacher or not best or survey.made <= SYNTHETIC_MAJORITY:
        return
    is_perfect = survey.is_share_metric and best.mean >= 1 - NEAR_CEILING_TOLERANCE
    # The means decide: on so few rows, a test could not tell the two apart.
    is_as_good = best.mean >= teacher.mean if survey.higher_is_better else best.mean <= teacher.mean
    if is_as_good and not is_perfect:
        yield GET_MORE_DATA, (
            f"most training rows are synthetic, and {best.name} answers at least as well "
            f"({_describe_score(best, survey)}) as the teacher ({_describe_score(teacher, survey)}): such rows teach "
            "nothing; add real rows, or use a better teacher"
        )


def _check_no_baseline(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows < ENOUGH_TRAINING_ROWS and not survey.best:
        yield GET_MORE_DATA, (
            f"{survey.rows} training rows are fewer than {ENOUGH_TRAINING_ROWS}, and no contender could be measured on "
            f"the {survey.validation} validation rows"
        )


def _check_headroom(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows >= ENOUGH_TRAINING_ROWS:
        return
    best, (ceiling, basis) = survey.best, _find_ceiling(survey)
    few = f"{survey.rows} training rows are few ({MIN_TRAINING_ROWS} to {ENOUGH_TRAINING_ROWS})"
    score = _describe_score(best, survey) if best else "unknown"
    if best and ceiling is not None and ceiling - best.mean >= MIN_HEADROOM:
        yield FINE_TUNE, f"{few}, but there is room for improvement: the best score so far is {score}; {basis}"
    else:
        yield GET_MORE_DATA, f"{few}, and there is little room for improvement: the best score so far is {score}"


ADVICE_RULES: tuple[AdviceRule, ...] = (
    _check_fast_change, _check_poor_teacher, _check_near_ceiling, _check_too_few_rows, _check_thin_labels,
    _check_no_baseline, _check_headroom,
)


def _list_other_reasons(survey: Survey, why: str) -> Iterator[str]:
    """List the facts that the deciding reason does not mention."""
    if "training rows" not in why:
        yield _describe_row_count(survey)
    best, (ceiling, _) = survey.best, _find_ceiling(survey)
    if best and best.name not in why:
        room = f", {abs(ceiling - best.mean):.2f} below the best possible" if ceiling is not None else ""
        yield f"a fine-tune must beat {_describe_score(best, survey)}{room}"
    if survey.teacher and survey.teacher.name not in why:
        yield f"the teacher shows what is possible: {_describe_score(survey.teacher, survey)}"
    if survey.labels and "labels" not in why:
        yield f"{survey.labels} labels, the rarest with {survey.rarest} training rows"


def _describe_row_count(survey: Survey) -> str:
    if survey.rows >= ENOUGH_TRAINING_ROWS:
        return f"{survey.rows} training rows are enough to learn from: {ENOUGH_TRAINING_ROWS} or more"
    few, fewer = f"few: {MIN_TRAINING_ROWS} to {ENOUGH_TRAINING_ROWS}", f"fewer than {MIN_TRAINING_ROWS}"
    return f"{survey.rows} training rows are {few if survey.rows >= MIN_TRAINING_ROWS else fewer}"


def _list_cautions(survey: Survey, verdict: str) -> Iterator[str]:
    if not survey.change:
        yield (
            "the spec does not say how often the facts change; "
            "add data.facts: {change: never|yearly|monthly|weekly|daily}"
        )
    if survey.change in SLOW_CHANGES and verdict == FINE_TUNE:
        yield f"the facts change {survey.change}: plan to rebuild as often"
    if survey.input_words[1] > LONG_INPUT_WORDS:
        yield f"inputs are long (95 % have up to {survey.input_words[1]:,} words); preflight checks whether they fit"
    if survey.made > SYNTHETIC_MAJORITY:
        yield f"{survey.made:.0%} of the training rows are synthetic; have an expert review some (`factory review`)"
    if survey.best and survey.best.n < MIN_RELIABLE_ROWS:
        yield f"{survey.best.n} validation rows are few; raise data.split.validation, or --rows"
    yield from (f"{trial.name} was not tried: {trial.why}" for trial in survey.legs if not trial.n and trial.why)
    if not any(trial.sort == PROMPTED for trial in survey.legs):
        yield "no contender of the spec is prompt-only, so whether prompting is enough is unknown"


def _find_ceiling(survey: Survey) -> tuple[float | None, str]:
    """Return the best possible score and its basis: the teacher if most rows are synthetic, else 1 for a share."""
    if survey.teacher and survey.made > SYNTHETIC_MAJORITY:
        return survey.teacher.mean, f"the teacher that made the rows scores {survey.teacher.mean:.3f}"
    return (1.0 if survey.is_share_metric else None), "a perfect score is 1"


def _describe_score(trial: ContenderEstimate, survey: Survey) -> str:
    return f"{trial.name} with {survey.metric} {trial.mean:.3f} ({trial.low:.3f} to {trial.high:.3f} on {trial.n} rows)"
