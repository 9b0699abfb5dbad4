"""`factory show`: one run, live or past: its stages, its curve, its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from factory.cli import out

if TYPE_CHECKING:
    from factory.evidence import RunOutputs
    from factory.runs import StageView


@click.command()
@click.argument("run", default="latest")
@out.json_option
def command(run: str, as_json: bool) -> None:
    """Show a run, live or past. RUN is an id, the start of one, a specialist's name, or `latest`."""
    from factory.cli.verdict import panel, summary
    from factory.evidence import RunOutputs
    from factory.home import find_home
    from factory.runs import find_run

    evidence = RunOutputs(find_home(), find_run(find_home(), run))
    if as_json:
        out.emit({**summary(evidence), **_details(evidence)})
        return
    _show(evidence)
    verdict = panel(evidence) if evidence.run.verdict else ""
    if verdict:
        out.say(f"\n{verdict}")


def _details(evidence: RunOutputs) -> dict[str, Any]:
    run = evidence.run
    stages = [stage.to_json() for stage in run.stages.values()]
    notes = [{"stage": stage, "level": level, "text": text} for stage, level, text in run.notes]
    return {"started": run.started, "spec": run.spec, "stages": stages, "notes": notes, "curve": evidence.read_training_curve()}


def _show(evidence: RunOutputs) -> None:
    from factory.report.words import clean, seconds

    run = evidence.run
    state = f"{run.state}, {seconds(run.seconds)}"
    out.say(f"{out.strong(run.name or run.id)}  {clean(run.task)} {clean(run.profile)} {out.dim(run.id)}  {state}")
    rows = [_stage(stage) for stage in run.stages.values()]
    out.say(out.table(["stage", "state", "took", "cpu", "peak", ""], rows, right=(2, 3, 4)))
    for stage, level, text in run.notes:
        out.say(f"{'warning' if level == 'warning' else 'note'}: {stage or 'build'}: {clean(text)}")
    _curve(evidence)


def _stage(stage: StageView) -> list[str]:
    from factory.cli.plain import far
    from factory.report.words import clean, seconds, size
    from factory.runs import FAILED, RUNNING

    detail = clean(stage.error, 160) if stage.state == FAILED else clean(stage.why, 80)
    if stage.state == RUNNING and stage.unit:
        detail = far(stage)
    if not stage.seconds:
        return [stage.name, stage.state, "", "", "", detail]
    peak = size(stage.peak_mib * 2**20) if stage.peak_mib else ""
    return [stage.name, stage.state, seconds(stage.seconds), seconds(stage.cpu_seconds), peak, detail]


def _curve(evidence: RunOutputs) -> None:
    """The training curve, drawn when there are enough points to be one."""
    points = evidence.read_training_curve()
    if len(points) < 3:
        return
    from factory.cli.curve import curve

    out.say(f"\n{out.strong('training loss by step')}\n{curve(points)}")
