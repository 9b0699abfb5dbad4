"""`factory check`: all that is wrong with a spec, or one line that says it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from factory.cli import load, out


@click.command()
@load.spec_argument
@load.profile_option
@load.set_option
@load.plugins_option
@out.json_option
def command(spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], as_json: bool) -> int:
    """Say all that is wrong with a spec."""
    from factory.errors import SpecError

    try:
        resolved = load.load_resolved_spec(spec, profile, overrides, folders)
    except SpecError as error:
        if not as_json:
            raise
        out.print_json({"file": str(spec), "problems": [asdict(p) for p in error.problems]})
        return error.exit_code
    if as_json:
        out.print_json({"file": str(spec), "name": resolved.spec.name, "task": resolved.task.kind, "problems": []})
    else:
        out.print_line(f"{spec}: {resolved.spec.name}, a {resolved.task.kind}: nothing is wrong")
    return 0
