"""`factory why`: explain why a stage, or each stage of a kind, would run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from factory.cli import output, spec_args


@click.command()
@spec_args.spec_arguments
@click.argument("stage")
@spec_args.force_option
@output.json_option
def command(arguments: spec_args.SpecArguments, stage: str, force: Sequence[str], as_json: bool) -> None:
    """Explain why a stage would run. STAGE is a stage of the plan, or a kind of stage."""
    from factory.plan.compiler import compile_plan

    plan = compile_plan(arguments.resolve())
    chosen = [s.name for s in plan.stages if stage in (s.name, s.kind)]
    if not chosen:
        spec_args.check_stage_names(plan, [stage])
    reasons = [reason for reason in spec_args.collect_stage_reasons(plan, force) if reason.stage in chosen]
    if as_json:
        output.print_json([asdict(reason) for reason in reasons])
        return
    for reason in reasons:
        verb = "would not run" if reason.state == "cached" else "would run"
        output.print_line(f"{reason.stage} {verb}: {reason}")
