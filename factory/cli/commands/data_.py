"""`factory data`: the rows of a spec before training: the data funnel, dropped rows, and distributions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from factory.cli import output, spec_args

if TYPE_CHECKING:
    from factory.runs.profile import DataProfile, RowLineage
    from factory.spec.layers import ResolvedSpec


@click.command()
@spec_args.spec_argument
@spec_args.profile_option
@spec_args.set_option
@spec_args.plugins_option
@click.option("--row", "name", default="", metavar="ID", help="Show the history of one row (id or prefix) instead.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write an HTML page of the rows.")
@click.option("--plain", is_flag=True, help="Print plain progress lines, even on a terminal.")
@output.json_option
def command(  # noqa: PLR0913  (one argument per option)
    spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], name: str, page: Path | None,
    plain: bool, as_json: bool,
) -> None:
    """Build the rows of a spec, up to curation, and show them.

    Cached stages are not run again. Shown are the data funnel, distributions, and samples of kept and dropped rows.
    """
    resolved = spec_args.load_resolved_spec(spec, profile, overrides, folders)
    data_profile = _make_data_profile(resolved, folders, plain)
    if page is not None:
        from factory.report.rows_page import render_rows_page

        page.write_text(render_rows_page(data_profile), encoding="utf-8")
        output.print_note(f"wrote {page}")
    if name:
        _print_row_history(_load_row_history(data_profile, resolved, name), as_json)
    elif as_json:
        output.print_json(data_profile.to_json())
    elif page is None:
        from factory.cli.data_view import format_data_profile

        for section in format_data_profile(data_profile):
            output.print_line(section)


def _make_data_profile(resolved: ResolvedSpec, folders: Sequence[Path], plain: bool) -> DataProfile:
    from factory.cli.run_until import make_until_stage
    from factory.plan.compiler import compile_plan
    from factory.registry.registry import load_installed_registry
    from factory.runs.profile import build_data_profile
    from factory.store.paths import find_home

    plan = compile_plan(resolved)
    until = "review" if "review" in plan.list_stage_names() else "curate"
    make_until_stage(plan, until, resolved, load_installed_registry(tuple(folders)), plain=plain)
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
