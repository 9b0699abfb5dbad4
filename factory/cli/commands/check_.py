"""`factory check`: every error of a spec, or one line that says that it is valid; and its metric under attack."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output, spec_args
from factory.errors import SpecError

if TYPE_CHECKING:
    from factory.evaluation.attacks import AttackReport
    from factory.spec.layers import ResolvedSpec


@click.command()
@spec_args.spec_arguments
@click.option(
    "--metric", "with_metric", is_flag=True,
    help="Also score degenerate answers by the deciding metric: empty, copied, the same for all rows.",
)
@output.json_option
def command(arguments: spec_args.SpecArguments, with_metric: bool, as_json: bool) -> int:
    """Validate a spec and report every error.

    The first rows of the sources are read, and the installed extras and the limits of the base are looked up.

    With --metric, the rows are made up to the split, and answers that no one would call right are scored on rows that
    are not test rows, beside the right ones. A metric that takes them nearly for right can be won by a trick.
    """
    file = str(arguments.file)
    try:
        resolved = arguments.resolve()
        _inspect(resolved)
    except SpecError as error:
        if not as_json:
            raise
        output.print_json({"file": file, "problems": [asdict(problem) for problem in error.problems]})
        return error.exit_code
    report = _attack_metric(resolved, arguments) if with_metric else None
    if as_json:
        head = {"file": file, "name": resolved.spec.name, "task": resolved.task.kind, "problems": []}
        output.print_json({**head, **({"attacks": _convert_report(report)} if report else {})})
    else:
        output.print_line(f"{file}: valid ({resolved.spec.name}, task {resolved.task.kind})")
        if report:
            _print_attacks(report)
    return 0


def _inspect(resolved: ResolvedSpec) -> None:
    """Raise SpecError with the problems of the data, the extras and the base."""
    from factory.spec.inspection import inspect_spec
    from factory.store.paths import find_home

    with redirect_stdout(sys.stderr):  # sources may print as they are read
        problems = inspect_spec(resolved, find_home() / "cache" / "wheels")
    if problems:
        raise SpecError(problems)


def _attack_metric(resolved: ResolvedSpec, arguments: spec_args.SpecArguments) -> AttackReport:
    from factory.cli.run_until import make_until_stage
    from factory.data.rows import read_json
    from factory.evaluation.attacks import AttackReport
    from factory.plan.attack_plan import compile_attack_plan
    from factory.store.outputs import Store
    from factory.store.paths import find_home

    plan = compile_attack_plan(resolved)
    make_until_stage(plan, "attack", resolved, arguments)
    folder = Store(find_home()).locate_output("attack", plan["attack"].key).output
    return AttackReport.from_json(read_json(folder / "attack.json"))


def _convert_report(report: AttackReport) -> dict[str, Any]:
    from factory.views.attacks import describe_attacks

    return {**report.to_json(), "conclusions": [text for text, _ in describe_attacks(report)]}


def _print_attacks(report: AttackReport) -> None:
    from factory.views.attacks import build_attacks_table, describe_attacks

    output.print_line(f"\n{output.format_table(build_attacks_table(report))}\n")
    for text, tone in describe_attacks(report):
        output.print_line(output.style_text(output.fill_line(text), tone))
