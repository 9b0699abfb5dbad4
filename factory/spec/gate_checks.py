"""Checks of the gate's rules: what a target and a guard name must be in the spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from factory.api import Contender, Eval, Task, VersionContender
from factory.api.deployable_contender import list_deployable
from factory.spec.fields import DELIVER_BEST, DELIVER_TUNED
from factory.spec.validation import SpecDraft
from factory.text.suggestions import suggest_known_name
from factory.yaml import format_value


def check_baselines(draft: SpecDraft, contenders: Sequence[Contender]) -> None:
    """Report a spec whose tuned model has nothing to beat, at the latest in a first build, which has no incumbent."""
    versions = [contender.kind for contender in contenders if isinstance(contender, VersionContender)]
    if not any(c.in_gate and not c.uses_artifact and c.kind not in versions for c in contenders):
        besides = f" besides {versions[0]!r}, which a first build does not have" if versions else ""
        draft.add_problem(("contenders",), f"no baseline to compare with{besides}; add one, such as 'untuned'")


def check_target(draft: SpecDraft, contenders: Sequence[Contender]) -> None:
    """Report a target that nobody can reach by prompting, and guards against contenders that the spec lacks."""
    if draft.get_value("gate", "target") is not None and not any(c.is_prompt_only and c.in_gate for c in contenders):
        text = "no contender only prompts a model, so that none can reach it; add one, such as 'prompted', or remove it"
        draft.add_problem(("gate", "target"), text)
    # A first build has no version of itself, so that a rule against one could not be judged.
    rivals = [c.kind for c in contenders if not c.uses_artifact and not isinstance(c, VersionContender)]
    for number, item in enumerate(draft.list_items("gate", "guards")):
        against = item.get_child("against")
        name = against.value if against else ""
        if isinstance(name, str) and name and name not in rivals:
            text = f"no contender {format_value(name)} to hold tuned against{_suggest_rival(name, rivals, contenders)}"
            draft.add_problem(("gate", "guards", number, "against"), text)
    _check_match(draft, rivals, contenders)


def check_judged_steps(draft: SpecDraft) -> None:
    """Report steps of training that the spec does not have before its last one, which is tuned itself."""
    last = len(draft.step_drafts)
    for number, item in enumerate(draft.list_items("gate", "steps")):
        if isinstance(item.value, int) and not 1 <= item.value < last:
            known = f"the steps before the last one are 1 to {last - 1}" if last > 1 else "the spec has no earlier step"
            draft.add_problem(("gate", "steps", number), f"no step {item.value} to beat; {known}")


def _suggest_rival(name: str, rivals: Sequence[str], contenders: Sequence[Contender]) -> str:
    """Return what to name in place of a contender that can not be held against, after a comma or semicolon."""
    is_version = name in {c.kind for c in contenders if isinstance(c, VersionContender)}
    missing = " in a first build, which has no version yet" if is_version else ""
    return f"{missing}; {suggest_known_name(name, rivals)}"


def _check_match(draft: SpecDraft, rivals: Sequence[str], contenders: Sequence[Contender]) -> None:
    """Report a contender to match that the spec lacks, or that leaves none to beat, and a cost that cannot be known."""
    steps, name = ("gate", "match"), draft.get_field_text("gate", "match", "contender")
    if name and name not in rivals:
        text = f"no contender {format_value(name)} to match{_suggest_rival(name, rivals, contenders)}"
        draft.add_problem((*steps, "contender"), text)
    elif name and not [c.kind for c in contenders if c.in_gate and c.kind in rivals and c.kind != name]:
        text = f"{name!r} is the only baseline, and would not be one to beat; add another, such as 'untuned'"
        draft.add_problem((*steps, "contender"), text)
    if draft.get_value(*steps, "cost") is not None and not draft.get_value(*steps, "hourly"):
        text = "tuned runs on a machine whose price is not known; set gate.match.hourly, the price of an hour of it"
        draft.add_problem((*steps, "cost"), text)


def check_delivery(draft: SpecDraft, contenders: Sequence[Contender]) -> None:
    """Report a contender to deliver that the spec lacks, or that can not be deployed for its task."""
    name, task = draft.get_field_text("deliver"), cast("Task | None", draft.plugins.get(("task",)))
    tuned = [contender.kind for contender in contenders if contender.uses_artifact and contender.in_gate]
    if task is None or name in ("", DELIVER_BEST, DELIVER_TUNED, *tuned):
        return
    deployable = [contender.kind for contender in list_deployable(contenders, task)]
    if name not in deployable:
        is_known = name in {contender.kind for contender in contenders}
        what = f"the contender {name!r} can not be deployed" if is_known else f"no contender {format_value(name)}"
        hint = suggest_known_name(name, [DELIVER_BEST, DELIVER_TUNED, *deployable])
        draft.add_problem(("deliver",), f"{what}; {hint}")


def check_deciding_metrics(draft: SpecDraft, metrics: Sequence[str], totals: Sequence[str]) -> None:
    """Report wrong guards, and a judge that would decide by its place in the list alone."""
    check_guards(draft, metrics, totals)
    evals = [(steps, cast(Eval, plugin)) for steps, plugin in draft.list_plugins_below("evaluate")]
    evals = [(steps, plugin) for steps, plugin in evals if plugin.metrics]
    rules = [plugin for _, plugin in evals if not plugin.is_opinion]
    if draft.get_field_text("gate", "metric") or not rules or not evals[0][1].is_opinion:
        return
    (steps, first), rule = evals[0], rules[0]
    text = (
        f"{first.kind!r} is a model's opinion, and would decide beside {rule.kind!r}, which follows a rule; set "
        f"gate.metric: {first.primary_metric} if it shall, or list {rule.kind!r} first"
    )
    draft.add_problem(steps, text)


def check_guards(draft: SpecDraft, metrics: Sequence[str], totals: Sequence[str]) -> None:
    """Report guards that guard nothing, and those of a metric that rows do not have."""
    for number, item in enumerate(draft.list_items("gate", "guards")):
        if not isinstance(item.value, dict):
            continue
        steps, fields = ("gate", "guards", number), item.to_plain()
        metric, part = fields.get("metric", ""), fields.get("slice", "")
        if not isinstance(metric, str) or not isinstance(part, str):
            continue
        if not metric and not part:
            draft.add_problem(steps, "guards nothing; add metric, slice or both")
        if part and not all(part.partition("=")):
            draft.add_problem((*steps, "slice"), f"write NAME=VALUE, such as language=de, not {format_value(part)}")
        if (metric or draft.get_field_text("gate", "metric")) in totals:
            text = "a guard needs a metric of rows, not one over all rows"
            draft.add_problem((*steps, "metric"), f"{text}; {suggest_known_name(metric, metrics)}")
        elif metric and metric not in metrics:
            text = f"no eval reports {format_value(metric)}; {suggest_known_name(metric, metrics)}"
            draft.add_problem((*steps, "metric"), text)
