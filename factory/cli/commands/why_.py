"""`factory why`: why one stage would run, or each stage of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from factory.cli import load, out


@click.command()
@load.spec_argument
@click.argument("stage")
@load.profile_option
@load.set_option
@load.force_option
@load.plugins_option
@out.json_option
def command(
    spec: Path, stage: str, profile: str, overrides: Sequence[str], force: Sequence[str], folders: Sequence[Path],
    as_json: bool,
) -> None:
    """Say why a stage would run."""
    from factory.plan import compile_plan

    plan = compile_plan(load.load_resolved_spec(spec, profile, overrides, folders))
    chosen = [s.name for s in plan.stages if stage in (s.name, s.kind)]
    if not chosen:
        load.check_stage_names(plan, [stage])
    reasons = [reason for reason in load.collect_stage_reasons(plan, force) if reason.stage in chosen]
    if as_json:
        out.print_json([asdict(reason) for reason in reasons])
        return
    for reason in reasons:
        verb = "would not run" if reason.state == "cached" else "would run"
        out.print_line(f"{reason.stage} {verb}: {reason}")
