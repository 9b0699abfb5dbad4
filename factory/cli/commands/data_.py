"""`factory data`: the rows of a spec before training: the data funnel, dropped rows, and distributions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from factory.cli import output, spec_args
from factory.cli.run_until import make_until_stage
from factory.errors import InputError
from factory.store.paths import find_home

if TYPE_CHECKING:
    from factory.runs.profile import DataProfile, RowLineage
    from factory.spec.layers import ResolvedSpec


@click.command()
@spec_args.spec_arguments
@click.option("--row", "name", default="", metavar="ID", help="Show the history of one row (id or prefix) instead.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write an HTML page of the rows.")
@click.option("--plain", is_flag=True, help="Print plain progress lines, even on a terminal.")
@output.json_option
def command(arguments: spec_args.SpecArguments, name: str, page: Path | None, plain: bool, as_json: bool) -> None:
    """Build the rows of a spec, up to curation, check them as a build does before training, and show them.

    Cached stages are not run again. The output is the data funnel, what the checks found, distributions, and samples of
    kept and dropped rows. Rows that would stop a build end with exit code 64.
    """
    resolved = arguments.resolve()
    data_profile = _make_data_profile(resolved, arguments, plain)
    if page is not None:
        from factory.report.rows_page import render_rows_page

        page.write_text(render_rows_page(data_profile), encoding="utf-8")
        output.print_note(f"wrote {page}")
    if name:
        _print_row_history(_load_row_history(data_profile, resolved, name), as_json)
        return
    if as_json:
        output.print_json(data_profile.to_json())
    elif page is None:
        from factory.cli.data_view import format_data_profile

        for section in format_data_profile(data_profile):
            output.print_line(section)
    if failure := data_profile.audit.get("failure"):
        raise InputError(failure)


def _make_data_profile(resolved: ResolvedSpec, arguments: spec_args.SpecArguments, plain: bool) -> DataProfile:
    from factory.plan.audit_plan import compile_data_plan
    from factory.runs.profile import build_data_profile

    plan = compile_data_plan(resolved)
    make_until_stage(plan, "audit", resolved, arguments, plain=plain)
    return build_data_profile(plan, resolved.task, find_home())


def _load_row_history(data_profile: DataProfile, resolved: ResolvedSpec, name: str) -> RowLineage:
    from factory import review
    from factory.runs.profile import trace_lineage

    settings = resolved.spec.data.review
    decisions = review.read_decisions(resolved.root / settings.file) if settings else review.DecisionLog()
    return trace_lineage(data_profile.run_outputs, name, data_profile.content, decisions.select_final_decisions())


def _print_row_history(history: RowLineage, as_json: bool) -> None:
    if as_json:
        output.print_json(history.to_json())
        return
    from factory.cli.data_view import format_row_history

    for line in format_row_history(history):
        output.print_line(line)
