"""`factory check`: every error of a spec, or one line that says that it is valid."""

from __future__ import annotations

from dataclasses import asdict

import click

from factory.cli import output, spec_args
from factory.errors import SpecError


@click.command()
@spec_args.spec_arguments
@output.json_option
def command(arguments: spec_args.SpecArguments, as_json: bool) -> int:
    """Validate a spec and report every error."""
    file = str(arguments.file)
    try:
        resolved = arguments.resolve()
    except SpecError as error:
        if not as_json:
            raise
        output.print_json({"file": file, "problems": [asdict(problem) for problem in error.problems]})
        return error.exit_code
    if as_json:
        output.print_json({"file": file, "name": resolved.spec.name, "task": resolved.task.kind, "problems": []})
    else:
        output.print_line(f"{file}: valid ({resolved.spec.name}, task {resolved.task.kind})")
    return 0
