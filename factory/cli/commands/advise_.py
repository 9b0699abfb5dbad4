"""`factory advise`: whether fine-tuning is worthwhile, before a build is run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from factory.advise import Advice, ContenderEstimate, Survey, advise
from factory.advise.rules import ENOUGH_TRAINING_ROWS
from factory.cli import output, spec_args
from factory.cli.run_until import make_until_stage
from factory.errors import InputError
from factory.runs.estimate import estimate_stage, sum_estimates
from factory.runs.run_view import iterate_newest_runs
from factory.store.outputs import Store
from factory.store.paths import find_home
from factory.views import formatting
from factory.views.elements import BAR_WIDTH, Column, Interval, Table, Text, make_row
from factory.views.formatting import format_count, format_number, format_seconds

if TYPE_CHECKING:
    from factory.plan.builder import Plan
    from factory.spec.layers import ResolvedSpec

ADVICE_TONES = {"FINE_TUNE": "good", "PROMPT": "warn", "RETRIEVE": "warn", "GET_MORE_DATA": "bad"}
ADVICE_MEANINGS = {
    "FINE_TUNE": "Fine-tuning is worthwhile.",
    "PROMPT": "Do not fine-tune: an existing contender (baseline or candidate) is good enough.",
    "RETRIEVE": "Do not fine-tune on facts that change: retrieve them at query time.",
    "GET_MORE_DATA": "Do not fine-tune yet: there is too little training data.",
}


@click.command()
@spec_args.spec_arguments
@click.option("--rows", default=60, show_default=True, metavar="N", help="Validation rows that each contender answers.")
@click.option("--plain", is_flag=True, help="Print plain progress lines, even on a terminal.")
@output.json_option
def command(arguments: spec_args.SpecArguments, rows: int, plain: bool, as_json: bool) -> None:
    """Advise whether fine-tuning is worthwhile, by trying contenders that need no training.

    Contenders of the spec that need no training, and its teacher if that is an endpoint, answer a few validation rows;
    the test rows are never read. Results are cached.
    """
    if rows < 1:
        raise InputError("--rows must be 1 or more")
    from factory.data.rows import read_json
    from factory.plan.compiler import compile_advice_plan

    resolved = arguments.resolve()
    plan = compile_advice_plan(resolved, rows)
    make_until_stage(plan, "advice", resolved, arguments, plain=plain)
    folder = Store(find_home()).locate_output("advice", plan["advice"].key).output
    survey = Survey.from_json(read_json(folder / "advice.json"))
    advice, costs = advise(survey), _collect_advice_costs(survey, resolved, plan)
    if as_json:
        head = {"name": plan.name, "task": plan.task}
        output.print_json({**head, **asdict(advice), "survey": survey.to_json(), "costs": costs})
        return
    for line in _format_advice(plan.name, survey, advice, costs):
        output.print_line(line)


def _collect_advice_costs(survey: Survey, resolved: ResolvedSpec, plan: Plan) -> dict[str, Any]:
    """Return the cost of each option: build time, prompting time and tokens per question, and teacher calls."""
    trials = survey.rank_contenders("prompted", "baseline")
    return {
        "build": _estimate_remaining_build(resolved),
        "prompting": {trial.name: _measure_prompting_cost(trial, plan) for trial in trials},
        "teacher": next((dict(trial.facts) for trial in survey.rank_contenders("teacher")), {}),
    }


def _estimate_remaining_build(resolved: ResolvedSpec) -> dict[str, Any]:
    """Estimate time and memory of the stages that a build would still run, from earlier runs or as a guess."""
    from factory.plan.compiler import compile_plan

    plan, earlier = compile_plan(resolved), list(iterate_newest_runs(find_home(), brief=True))
    pending = [reason.stage for reason in spec_args.collect_stage_reasons(plan) if reason.state != "cached"]
    return asdict(sum_estimates(estimate_stage(stage, plan.name, resolved.profile, earlier) for stage in pending))


def _measure_prompting_cost(trial: ContenderEstimate, plan: Plan) -> dict[str, Any]:
    """Return the measured seconds (model loading included) and prompt tokens per question."""
    stage = f"baseline_trial[{trial.name}]"
    meta = Store(find_home()).locate_output(stage, plan[stage].key).read_meta()
    return {"seconds_a_question": round(meta["seconds"] / trial.n, 4),
            **({"tokens_a_question": trial.facts["prompt_tokens"]} if "prompt_tokens" in trial.facts else {})}


def _format_advice(name: str, survey: Survey, advice: Advice, costs: dict[str, Any]) -> Iterator[str]:
    """Yield the advice as text: verdict, reasons, trial results, costs and cautions."""
    yield f"{output.format_badge(f' {advice.verdict} ', ADVICE_TONES[advice.verdict])} {output.style_bold(name)}"
    yield f"{output.fill_line(ADVICE_MEANINGS[advice.verdict])}\n"
    yield from (output.fill_line(reason, "- ", "  ") for reason in advice.reasons)
    if survey.legs:
        yield f"\n{_format_trials_table(survey)}"
    yield ""
    yield from _format_cost_lines(survey, advice, costs)
    yield from (output.fill_line(caution, "- ", "  ") for caution in advice.cautions)


def _format_trials_table(survey: Survey) -> str:
    """Return a table of the trials on validation rows, best first, on one scale."""
    columns = (
        Column("contender", max_width=40), Column("type"), Column(survey.metric, align_right=True),
        Column("95 % interval", max_width=60), Column("", drop_rank=1, min_width=BAR_WIDTH),
        Column("rows", align_right=True),
    )
    ranked = survey.rank_contenders("baseline", "prompted", "teacher")
    scale = formatting.compute_scale([(trial.low, trial.high) for trial in ranked]) if ranked else (0.0, 1.0)
    rows = [
        make_row(
            trial.name, Text(trial.name), Text(trial.sort), Text(format_number(trial.mean)),
            Text(f"{format_number(trial.low)} to {format_number(trial.high)}"),
            Interval(trial.low, trial.mean, trial.high, scale), Text(str(trial.n)),
        )
        for trial in ranked
    ]
    rows += [
        make_row(trial.name, Text(trial.name), Text(trial.sort), Text("–"), Text(trial.why), Text(""), Text("0"))
        for trial in survey.legs if not trial.n
    ]
    return output.format_table(Table(columns, tuple(rows)))


def _format_cost_lines(survey: Survey, advice: Advice, costs: dict[str, Any]) -> Iterator[str]:
    build, teacher = costs["build"], costs["teacher"]
    if not build["most"]:
        yield "every stage of the build is cached: `factory build` prints its verdict"
    else:
        seconds, memory = format_seconds(build["seconds"]), formatting.format_bytes(build["mib"] * 2**20)
        bounds = f"{format_seconds(build['least'])} to {format_seconds(build['most'])}"
        source = "" if build["runs"] else " (rough guess: no earlier run on this machine)"
        yield f"a build would take about {seconds} ({bounds}) and {memory} of memory{source}"
    for trial in survey.rank_contenders("prompted"):
        cost = costs["prompting"][trial.name]
        seconds = format_seconds(cost["seconds_a_question"])
        tokens = f", {cost['tokens_a_question']:g} prompt tokens" if "tokens_a_question" in cost else ""
        yield f"{trial.name} takes about {seconds} per question on this machine{tokens}"
    if teacher:
        yield (f"teacher: {format_count(teacher['calls'], 'call')}, {teacher['tokens_in']:,} input tokens, "
               f"{teacher['tokens_out']:,} output tokens, cost {teacher['cost']:g}")
    if advice.verdict == "GET_MORE_DATA" and teacher.get("calls"):
        missing = max(0, ENOUGH_TRAINING_ROWS - survey.rows)
        price = missing * float(teacher["cost"]) / int(teacher["calls"])
        yield f"labelling {format_count(missing, 'more row')} with the teacher would cost about {price:.2g}"
