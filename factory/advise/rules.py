"""The rules of advice, in the order in which they are asked. The first that holds decides; the rest are reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from factory.advise.survey import BASELINE, PROMPTED, TEACHER, Leg, Survey

PROMPT, RETRIEVE, FINE_TUNE, GET_MORE_DATA = "PROMPT", "RETRIEVE", "FINE_TUNE", "GET_MORE_DATA"

FEW, ENOUGH = 100, 500
"""Training rows below which a fine-tune teaches hardly more than examples in a prompt do, and above which it pays."""
NEAR = 0.05
"""How near to the best there can be is as good as there: what is left is within the noise of most labels."""
ROOM = 0.10
"""Room for improvement that makes a fine-tune on few rows worth a try."""
THIN, THIN_SHARE = 8, 0.2
"""Rows that a label needs to be learned, and the share of labels that may have fewer."""
MADE = 0.5
"""Share of made rows from which on their maker's own skill is the ceiling."""
LONG = 1500
"""Words of an input, at the 95th percentile, that strain the base's window."""
FAST, SLOW = ("daily", "weekly"), ("monthly", "yearly")


@dataclass(frozen=True, slots=True)
class Advice:
    """A verdict, the reasons for it, what decided first, and what to mind whatever one does."""

    verdict: str
    reasons: tuple[str, ...]
    cautions: tuple[str, ...] = ()


Rule = Callable[[Survey], Iterator[tuple[str, str]]]
"""A rule yields (verdict, why) when it holds."""


def advise(survey: Survey) -> Advice:
    """The advice that a survey leads to."""
    verdict, why = next((found for rule in RULES for found in rule(survey)), (FINE_TUNE, _rows_said(survey)))
    return Advice(verdict, (why, *_facts(survey, why)), tuple(_cautions(survey, verdict)))


def _changes_fast(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.change in FAST:
        yield RETRIEVE, (
            f"the facts that answers state change {survey.change}: a fine-tune is out of date before it ships; "
            "put the facts into the prompt, and tune, if at all, how they are read"
        )


def _good_already(survey: Survey) -> Iterator[tuple[str, str]]:
    best, ceiling = _best(survey), _ceiling(survey)
    if best and ceiling is not None and best.mean >= ceiling - NEAR:
        what = "prompting" if best.sort == PROMPTED else f"{best.name}, which needs no training of a model,"
        yield PROMPT, f"{what} is about as good as can be: {_said(best, survey)}, where {_ceiling_said(survey)}"


def _too_few(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows < FEW:
        yield GET_MORE_DATA, (
            f"{survey.rows} training rows are fewer than {FEW}: show them in a prompt, and gather or make "
            f"{ENOUGH - survey.rows:,} more"
        )


def _thin_labels(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.labels and survey.thin > THIN_SHARE * survey.labels:
        yield GET_MORE_DATA, (
            f"{survey.thin} of {survey.labels} labels have fewer than {THIN} training rows, the rarest "
            f"{survey.rarest}: they can not be learned; gather or make rows for these"
        )


def _poor_teacher(survey: Survey) -> Iterator[tuple[str, str]]:
    teacher, best = next(iter(survey.tried(TEACHER)), None), _best(survey)
    perfect = best and survey.bounded and best.mean >= 1 - NEAR
    if teacher and best and survey.made > MADE and not perfect and _beats(best, teacher, survey):
        yield GET_MORE_DATA, (
            f"most training rows are made, and {best.name} answers better ({_said(best, survey)}) than the teacher "
            f"({_said(teacher, survey)}): such rows teach nothing; gather real ones, or ask a better teacher"
        )


def _untested(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows < ENOUGH and not survey.tried(BASELINE, PROMPTED):
        yield GET_MORE_DATA, (
            f"{survey.rows} training rows are fewer than {ENOUGH}, and {survey.validation} validation rows are too few "
            "to say what already works"
        )


def _some(survey: Survey) -> Iterator[tuple[str, str]]:
    if survey.rows >= ENOUGH:
        return
    best, ceiling = _best(survey), _ceiling(survey)
    if best and ceiling is not None and ceiling - best.mean >= ROOM:
        yield FINE_TUNE, (
            f"{survey.rows} training rows are few ({FEW} to {ENOUGH}), but there is room: the best that exists is "
            f"{_said(best, survey)}, where {_ceiling_said(survey)}"
        )
    else:
        yield GET_MORE_DATA, (
            f"{survey.rows} training rows are few ({FEW} to {ENOUGH}), and there is no room for so few to show: "
            f"the best that exists is {_said(best, survey) if best else 'not known'}"
        )


RULES: tuple[Rule, ...] = (_changes_fast, _poor_teacher, _good_already, _too_few, _thin_labels, _untested, _some)


def _facts(survey: Survey, why: str) -> Iterator[str]:
    """What was found, but for what decided and is said already."""
    if "training rows" not in why:
        yield _rows_said(survey)
    best, ceiling = _best(survey), _ceiling(survey)
    if best and best.name not in why:
        room = f", {abs(ceiling - best.mean):.2f} below the best there can be" if ceiling is not None else ""
        yield f"a fine-tune must beat {_said(best, survey)}{room}"
    teacher = next(iter(survey.tried(TEACHER)), None)
    if teacher and teacher.name not in why:
        yield f"the teacher shows what can be reached: {_said(teacher, survey)}"
    if survey.labels and "labels" not in why:
        yield f"{survey.labels} labels, the rarest with {survey.rarest} training rows"


def _rows_said(survey: Survey) -> str:
    if survey.rows >= ENOUGH:
        return f"{survey.rows} training rows are enough to learn from: {ENOUGH} or more"
    return f"{survey.rows} training rows are {f'few: {FEW} to {ENOUGH}' if survey.rows >= FEW else f'fewer than {FEW}'}"


def _cautions(survey: Survey, verdict: str) -> Iterator[str]:
    if not survey.change:
        yield "nobody said how fast the facts change: add data.facts: {change: never|yearly|monthly|weekly|daily}"
    if survey.change in SLOW and verdict == FINE_TUNE:
        yield f"the facts change {survey.change}: plan to build as often"
    if survey.input_words[1] > LONG:
        yield f"inputs are long (95 % up to {survey.input_words[1]:,} words): preflight will say what the base loses"
    if survey.made > MADE:
        yield f"{survey.made:.0%} of the training rows are made: let an expert see some (`factory review`)"
    best = _best(survey)
    if best and best.n < 30:
        yield f"{best.n} validation rows tell little; raise data.split.validation, or --rows"
    for leg in survey.legs:
        if not leg.n and leg.why:
            yield f"{leg.name} was not tried: {leg.why}"
    if not any(leg.sort == PROMPTED for leg in survey.legs):
        yield "no contender of the spec only prompts: whether that is enough is not known here"


def _best(survey: Survey) -> Leg | None:
    """The best of what exists on this machine."""
    return next(iter(survey.tried(BASELINE, PROMPTED)), None)


def _ceiling(survey: Survey) -> float | None:
    """The best there can be: the teacher where most rows are its own, else 1 of a share; None when nobody knows."""
    teacher = next(iter(survey.tried(TEACHER)), None)
    if teacher and survey.made > MADE:
        return teacher.mean
    return 1.0 if survey.bounded else None


def _ceiling_said(survey: Survey) -> str:
    teacher = next(iter(survey.tried(TEACHER)), None)
    if teacher and survey.made > MADE:
        return f"the teacher who made the rows reaches {teacher.mean:.3f}"
    return "1 is perfect"


def _beats(one: Leg, other: Leg, survey: Survey) -> bool:
    """Whether one is at least as good; the higher mean decides, for a few rows settle no more."""
    return one.mean >= other.mean if survey.higher_is_better else one.mean <= other.mean


def _said(leg: Leg, survey: Survey) -> str:
    return f"{leg.name} with {survey.metric} {leg.mean:.3f} ({leg.low:.3f} to {leg.high:.3f} on {leg.n} rows)"
