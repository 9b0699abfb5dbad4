"""`factory check`: every error of a spec, or one line that says that it is valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from factory.cli import output, spec_args


@click.command()
@spec_args.spec_argument
@spec_args.profile_option
@spec_args.set_option
@spec_args.plugins_option
@output.json_option
def command(spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], as_json: bool) -> int:
    """Validate a spec and report every error."""
    from factory.errors import SpecError

    try:
        resolved = spec_args.load_resolved_spec(spec, profile, overrides, folders)
    except SpecError as error:
        if not as_json:
            raise
        output.print_json({"file": str(spec), "problems": [asdict(p) for p in error.problems]})
        return error.exit_code
    if as_json:
        output.print_json({"file": str(spec), "name": resolved.spec.name, "task": resolved.task.kind, "problems": []})
    else:
        output.print_line(f"{spec}: valid ({resolved.spec.name}, task {resolved.task.kind})")
    return 0
