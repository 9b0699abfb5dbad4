"""The rules of advice, in the order in which they are asked. The first that holds decides; the rest are reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from factory.advise.survey import BASELINE, PROMPTED, TEACHER, ContenderEstimate, Survey

PROMPT, RETRIEVE, FINE_TUNE, GET_MORE_DATA = "PROMPT", "RETRIEVE", "FINE_TUNE", "GET_MORE_DATA"

MIN_TRAINING_ROWS, ENOUGH_TRAINING_ROWS = 100, 500
"""Training rows below which a fine-tune teaches hardly more than examples in a prompt do, and above which it pays."""
NEAR_CEILING_TOLERANCE = 0.05
"""How near to the best there can be is as good as there: what is left is within the noise of most labels."""
MIN_HEADROOM = 0.10
"""Room for improvement that makes a fine-tune on few rows worth a try."""
MIN_ROWS_PER_LABEL, MAX_THIN_LABEL_SHARE = 8, 0.2
"""Rows that a label needs to be learned, and the share of labels that may have fewer."""
SYNTHETIC_MAJORITY = 0.5
"""Share of made rows from which on their maker's own skill is the ceiling."""
LONG_INPUT_WORDS = 1500
"""Words of an input, at the 95th percentile, that strain the base's window."""
FAST_CHANGES, SLOW_CHANGES = ("daily", "weekly"), ("monthly", "yearly")


@dataclass(frozen=True, slots=True)
class Advice:
    """A verdict, the reasons for it, what decided first, and what to mind whatever one does."""

    verdict: str
    reasons: tuple[str, ...]
    cautions: tuple[str, ...] = ()


AdviceRule = Callable[[Survey], Iterator[tuple[str, str]]]
"""A rule yields (verdict, why) when it holds."""


def advise(survey: Survey) -> Advice:
    """The advice that a survey leads to."""
    verdict, why = next(
        (found for rule in ADVICE_RULES for found in rule(survey)), (FINE_TUNE, _describe_row_count(survey))
    )
    return Advice(verdict, (why, *_list_other_reasons(survey, why)), tuple(_list_cautions(survey, verdict)))


def _check_fast_change(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.change in FAST_CHANGES:
        yield RETRIEVE, (
            f"the facts that answers state change {survey.change}: a fine-tune is out of date before it ships; "
            "put the facts into the prompt, and tune, if at all, how they are read"
        )


def _check_near_ceiling(survey: Survey) -> Iterator[tuple[str, str]]:
    best, ceiling = _find_best_contender(survey), _estimate_ceiling(survey)
    if best and ceiling is not None and best.mean >= ceiling - NEAR_CEILING_TOLERANCE:
        what = "prompting" if best.sort == PROMPTED else f"{best.name}, which needs no training of a model,"
        yield PROMPT, (
            f"{what} is about as good as can be: {_describe_contender_score(best, survey)}, where "
            f"{_describe_ceiling(survey)}"
        )


def _check_too_few_rows(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows < MIN_TRAINING_ROWS:
        yield GET_MORE_DATA, (
            f"{survey.rows} training rows are fewer than {MIN_TRAINING_ROWS}: show them in a prompt, and gather or "
            f"make "
            f"{ENOUGH_TRAINING_ROWS - survey.rows:,} more"
        )


def _check_thin_labels(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.labels and survey.thin > MAX_THIN_LABEL_SHARE * survey.labels:
        yield GET_MORE_DATA, (
            f"{survey.thin} of {survey.labels} labels have fewer than {MIN_ROWS_PER_LABEL} training rows, the rarest "
            f"{survey.rarest}: they can not be learned; gather or make rows for these"
        )


def _check_poor_teacher(survey: Survey) -> Iterator[tuple[str, str]]:
    teacher, best = next(iter(survey.rank_contenders(TEACHER)), None), _find_best_contender(survey)
    perfect = best and survey.is_share_metric and best.mean >= 1 - NEAR_CEILING_TOLERANCE
    if teacher and best and survey.made > SYNTHETIC_MAJORITY and not perfect and _is_at_least_as_good(
        best, teacher, survey
    ):
        yield GET_MORE_DATA, (
            f"most training rows are made, and {best.name} answers better ({_describe_contender_score(best, survey)}) "
            f"than the teacher "
            f"({_describe_contender_score(teacher, survey)}): such rows teach nothing; gather real ones, or ask a "
            f"better teacher"
        )


def _check_no_baseline(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows < ENOUGH_TRAINING_ROWS and not survey.rank_contenders(BASELINE, PROMPTED):
        yield GET_MORE_DATA, (
            f"{survey.rows} training rows are fewer than {ENOUGH_TRAINING_ROWS}, and {survey.validation} validation "
            f"rows are too few "
            "to say what already works"
        )


def _check_headroom(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows >= ENOUGH_TRAINING_ROWS:
        return
    best, ceiling = _find_best_contender(survey), _estimate_ceiling(survey)
    if best and ceiling is not None and ceiling - best.mean >= MIN_HEADROOM:
        yield FINE_TUNE, (
            f"{survey.rows} training rows are few ({MIN_TRAINING_ROWS} to {ENOUGH_TRAINING_ROWS}), but there is room: "
            f"the best that exists is "
            f"{_describe_contender_score(best, survey)}, where {_describe_ceiling(survey)}"
        )
    else:
        yield GET_MORE_DATA, (
            f"{survey.rows} training rows are few ({MIN_TRAINING_ROWS} to {ENOUGH_TRAINING_ROWS}), and there is no "
            f"room for so few to show: "
            f"the best that exists is {_describe_contender_score(best, survey) if best else 'not known'}"
        )


ADVICE_RULES: tuple[AdviceRule, ...] = (
    _check_fast_change, _check_poor_teacher, _check_near_ceiling, _check_too_few_rows, _check_thin_labels,
    _check_no_baseline, _check_headroom
)


def _list_other_reasons(survey: Survey, why: str) -> Iterator[str]:
    """What was found, but for what decided and is said already."""
    if "training rows" not in why:
        yield _describe_row_count(survey)
    best, ceiling = _find_best_contender(survey), _estimate_ceiling(survey)
    if best and best.name not in why:
        room = f", {abs(ceiling - best.mean):.2f} below the best there can be" if ceiling is not None else ""
        yield f"a fine-tune must beat {_describe_contender_score(best, survey)}{room}"
    teacher = next(iter(survey.rank_contenders(TEACHER)), None)
    if teacher and teacher.name not in why:
        yield f"the teacher shows what can be reached: {_describe_contender_score(teacher, survey)}"
    if survey.labels and "labels" not in why:
        yield f"{survey.labels} labels, the rarest with {survey.rarest} training rows"


def _describe_row_count(survey: Survey) -> str:
    if survey.rows >= ENOUGH_TRAINING_ROWS:
        return f"{survey.rows} training rows are enough to learn from: {ENOUGH_TRAINING_ROWS} or more"
    few = f"few: {MIN_TRAINING_ROWS} to {ENOUGH_TRAINING_ROWS}"
    size = few if survey.rows >= MIN_TRAINING_ROWS else f"fewer than {MIN_TRAINING_ROWS}"
    return f"{survey.rows} training rows are {size}"


def _list_cautions(survey: Survey, verdict: str) -> Iterator[str]:
    if not survey.change:
        yield "nobody said how fast the facts change: add data.facts: {change: never|yearly|monthly|weekly|daily}"
    if survey.change in SLOW_CHANGES and verdict == FINE_TUNE:
        yield f"the facts change {survey.change}: plan to build as often"
    if survey.input_words[1] > LONG_INPUT_WORDS:
        yield f"inputs are long (95 % up to {survey.input_words[1]:,} words): preflight will say what the base loses"
    if survey.made > SYNTHETIC_MAJORITY:
        yield f"{survey.made:.0%} of the training rows are made: let an expert see some (`factory review`)"
    best = _find_best_contender(survey)
    if best and best.n < 30:
        yield f"{best.n} validation rows tell little; raise data.split.validation, or --rows"
    for leg in survey.legs:
        if not leg.n and leg.why:
            yield f"{leg.name} was not tried: {leg.why}"
    if not any(leg.sort == PROMPTED for leg in survey.legs):
        yield "no contender of the spec only prompts: whether that is enough is not known here"


def _find_best_contender(survey: Survey) -> ContenderEstimate | None:
    """The best of what exists on this machine."""
    return next(iter(survey.rank_contenders(BASELINE, PROMPTED)), None)


def _estimate_ceiling(survey: Survey) -> float | None:
    """The best there can be: the teacher where most rows are its own, else 1 of a share; None when nobody knows."""
    teacher = next(iter(survey.rank_contenders(TEACHER)), None)
    if teacher and survey.made > SYNTHETIC_MAJORITY:
        return teacher.mean
    return 1.0 if survey.is_share_metric else None


def _describe_ceiling(survey: Survey) -> str:
    teacher = next(iter(survey.rank_contenders(TEACHER)), None)
    if teacher and survey.made > SYNTHETIC_MAJORITY:
        return f"the teacher who made the rows reaches {teacher.mean:.3f}"
    return "1 is perfect"


def _is_at_least_as_good(one: ContenderEstimate, other: ContenderEstimate, survey: Survey) -> bool:
    """Whether one is at least as good; the higher mean decides, for a few rows settle no more."""
    return one.mean >= other.mean if survey.higher_is_better else one.mean <= other.mean


def _describe_contender_score(leg: ContenderEstimate, survey: Survey) -> str:
    return f"{leg.name} with {survey.metric} {leg.mean:.3f} ({leg.low:.3f} to {leg.high:.3f} on {leg.n} rows)"
