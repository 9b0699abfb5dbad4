"""`factory build`: run every stage of a spec, up to the verdict and the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from factory.cli import output, spec_args
from factory.cli.run_until import create_progress_display
from factory.cli.verdict_panel import format_verdict_panel
from factory.runs.run_outputs import RunOutputs
from factory.store.paths import find_home
from factory.views.verdict import build_verdict_json


@click.command()
@spec_args.spec_arguments
@spec_args.force_option
@click.option("--replay", is_flag=True, help="Run offline: use cached teacher responses, and fail if one is missing.")
@click.option("--deliver", default="", metavar="tuned|best|NAME",
              help="Bundle the trained artifact, the best contender that can be deployed, or the one of this name.")
@click.option("--plain", is_flag=True, help="Print plain progress lines, even on a terminal.")
@output.json_option
def command(
    arguments: spec_args.SpecArguments, force: Sequence[str], replay: bool, deliver: str, plain: bool, as_json: bool
) -> int:
    """Build a specialist from a spec: train, evaluate, decide and bundle. The exit code depends on the verdict."""
    if deliver:
        arguments = replace(arguments, overrides=(*arguments.overrides, f"deliver={deliver}"))
    resolved = arguments.resolve()
    # Imported after validation, so that an invalid spec is reported at once.
    from factory.engine.build import run_build
    from factory.plan.compiler import compile_plan

    if force:  # checked before the run is journalled: a misspelt stage leaves no failed run
        spec_args.check_stage_names(compile_plan(resolved), force)
    with create_progress_display(plain) as display:
        registry = arguments.load_registry()
        result = run_build(resolved, registry, find_home(), force=force, listener=display.handle_event, replay=replay)
    evidence = RunOutputs(find_home(), display.run)
    if as_json:
        output.print_json({**build_verdict_json(evidence), "bundle": str(result.bundle or "")})
    else:
        output.print_line(format_verdict_panel(evidence))
    return result.exit_code
