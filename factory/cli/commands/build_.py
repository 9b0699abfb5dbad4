"""`factory build`: from a spec to a verdict and a bundle."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import click

from factory.cli import load, out


@click.command()
@load.spec_argument
@load.profile_option
@load.set_option
@load.force_option
@load.plugins_option
@click.option("--replay", is_flag=True, help="Network off: teachers answer from the cache alone, or the build ends.")
@click.option("--plain", is_flag=True, help="Plain lines, even on a terminal.")
@out.json_option
def command(  # noqa: PLR0913 (one argument an option)
    spec: Path, profile: str, overrides: Sequence[str], force: Sequence[str], folders: Sequence[Path], replay: bool,
    plain: bool, as_json: bool,
) -> int:
    """Build a specialist, from a spec to a verdict and a bundle. The exit code is the verdict's."""
    resolved = load.load_resolved_spec(spec, profile, overrides, folders)
    from factory.cli.live import LiveProgress
    from factory.cli.making import raise_keyboard_interrupt
    from factory.cli.plain import PlainProgress
    from factory.cli.verdict import format_verdict_panel, build_run_summary
    from factory.engine import run_build
    from factory.evidence import RunOutputs
    from factory.home import find_home
    from factory.plan import compile_plan
    from factory.plugins import load_installed_registry

    if force:
        load.check_stage_names(compile_plan(resolved), force)
    signal.signal(signal.SIGTERM, raise_keyboard_interrupt)
    display = PlainProgress() if plain or not out.is_interactive() else LiveProgress()
    with display:
        registry = load_installed_registry(tuple(folders))
        result = run_build(resolved, registry, find_home(), force=force, listener=display.handle_event, replay=replay)
    evidence = RunOutputs(find_home(), display.run)
    if as_json:
        out.print_json({**build_run_summary(evidence), "bundle": str(result.bundle or "")})
    else:
        out.print_line(format_verdict_panel(evidence))
    return result.exit_code
