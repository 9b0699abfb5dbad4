"""`factory build`: run every stage of a spec, up to the verdict and the bundle."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import click

from factory.cli import output, spec_args


@click.command()
@spec_args.spec_argument
@spec_args.profile_option
@spec_args.set_option
@spec_args.force_option
@spec_args.plugins_option
@click.option("--replay", is_flag=True, help="Run offline: use cached teacher responses, and fail if one is missing.")
@click.option("--plain", is_flag=True, help="Print plain progress lines, even on a terminal.")
@output.json_option
def command(  # noqa: PLR0913 (one argument per option)
    spec: Path, profile: str, overrides: Sequence[str], force: Sequence[str], folders: Sequence[Path], replay: bool,
    plain: bool, as_json: bool,
) -> int:
    """Build a specialist from a spec: train, evaluate, decide and bundle. The exit code tells the verdict."""
    resolved = spec_args.load_resolved_spec(spec, profile, overrides, folders)
    from factory.cli.progress_live import LiveProgress
    from factory.cli.progress_plain import PlainProgress
    from factory.cli.run_until import raise_keyboard_interrupt
    from factory.cli.verdict_panel import build_run_summary, format_verdict_panel
    from factory.engine.build import run_build
    from factory.plan.compiler import compile_plan
    from factory.registry.registry import load_installed_registry
    from factory.runs.run_outputs import RunOutputs
    from factory.store.paths import find_home

    if force:
        spec_args.check_stage_names(compile_plan(resolved), force)
    signal.signal(signal.SIGTERM, raise_keyboard_interrupt)
    display = PlainProgress() if plain or not output.is_interactive() else LiveProgress()
    with display:
        registry = load_installed_registry(tuple(folders))
        result = run_build(resolved, registry, find_home(), force=force, listener=display.handle_event, replay=replay)
    evidence = RunOutputs(find_home(), display.run)
    if as_json:
        output.print_json({**build_run_summary(evidence), "bundle": str(result.bundle or "")})
    else:
        output.print_line(format_verdict_panel(evidence))
    return result.exit_code
