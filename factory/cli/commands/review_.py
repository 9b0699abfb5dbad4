"""`factory review`: a subject expert reviews training rows, at the terminal or in a spreadsheet."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output, spec_args

if TYPE_CHECKING:
    from factory.review import ReviewItem, ReviewSession

MAX_DISPUTES = 20
"""Maximum number of disagreements listed."""


@click.command()
@spec_args.spec_argument
@spec_args.profile_option
@spec_args.set_option
@spec_args.plugins_option
@click.option("--reviewer", default="", metavar="NAME", help="Name of the reviewer; default: your user name.")
@click.option("--rows", default=0, metavar="N", type=click.IntRange(min=0),
              help="Number of rows to review; default: data.review.share of all.")
@click.option("--csv", "sheet", type=click.Path(path_type=Path, allow_dash=True), metavar="OUT",
              help="Export the rows as CSV instead of prompting; - for standard output.")
@click.option("--from", "back", type=click.Path(path_type=Path), metavar="CSV",
              help="Import the decisions of an exported CSV.")
@output.json_option
def command(  # noqa: PLR0913  (one argument per option)
    spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], reviewer: str, rows: int,
    sheet: Path | None, back: Path | None, as_json: bool,
) -> None:
    """Let a subject expert accept, reject or edit training rows.

    Rows are a stratified sample, doubtful ones first, shown without their origin. Each decision is saved before the
    next row is shown, and the same command continues where you stopped. From a pipe, a line is a decision: a, r, s,
    `n REASON` or `e ANSWER`. Between reviewers, agreement (Cohen's κ) is reported.
    """
    if sheet is not None and back is not None:
        raise click.UsageError("--csv and --from can not be used together")
    session = _open_review_session(spec, profile, overrides, folders, reviewer, rows)
    if sheet is not None:
        _export_review_sheet(session, sheet)
    elif back is not None:
        _import_review_sheet(session, back)
    elif not as_json:
        _run_review_prompt(session)
    if as_json:
        output.print_json(_build_review_state(session))
    elif sheet is None:
        _print_review_summary(session)


def _open_review_session(
    spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], reviewer: str, rows: int
) -> ReviewSession:
    """Open a review session; the rows are built first if they are not cached."""
    resolved = spec_args.load_resolved_spec(spec, profile, overrides, folders)
    from factory.cli.run_until import make_until_stage
    from factory.plan.compiler import compile_plan
    from factory.registry.registry import load_installed_registry
    from factory.review import session_from_spec
    from factory.store.paths import find_home
    from factory.views.formatting import clean_line

    session_from_spec.require_review_settings(resolved)
    plan = compile_plan(resolved)
    make_until_stage(plan, "curate", resolved, load_installed_registry(tuple(folders)))
    name = clean_line(reviewer) or getpass.getuser()
    return session_from_spec.open_review_session(resolved, plan, find_home(), name, rows)


def _run_review_prompt(session: ReviewSession) -> None:
    from factory.cli.review_prompt import ReviewPrompt, read_key_presses, read_piped_keys

    if sys.stdin.isatty():
        ReviewPrompt(session, read_key_presses()).run()
    else:  # piped input: no terminal for an editor or a prompt
        ReviewPrompt(session, read_piped_keys(), open_editor=lambda text: None, prompt_text=lambda question: "").run()


def _export_review_sheet(session: ReviewSession, sheet: Path) -> None:
    from factory.review import spreadsheet

    text = spreadsheet.render_review_sheet(session, session.items)
    if str(sheet) == "-":
        click.echo(text, nl=False)
        return
    sheet.write_text(text, encoding="utf-8", newline="")
    output.print_note(
        f"wrote {len(session.items)} rows to {sheet}; set column decision to accept, reject or edit (after changing "
        f"the answer in place), then import it with --from {sheet}"
    )


def _import_review_sheet(session: ReviewSession, sheet: Path) -> None:
    from factory.review import spreadsheet

    imported = spreadsheet.read_review_sheet(sheet, session, session.items)
    session.write_decisions(imported.decisions)
    output.print_note(f"{sheet}: imported {len(imported.decisions)} decisions by {session.reviewer}")
    for note in imported.notes:
        output.print_note(note)


def _build_review_state(session: ReviewSession) -> dict[str, Any]:
    """Return the session as JSON data: progress of this reviewer, rows left, and agreement of reviewers."""
    progress, agreement = session.measure_progress(), session.compute_agreement()
    return {
        "reviewer": session.reviewer, "file": str(session.file), "asked": progress.total, "decided": progress.decided,
        **{f"{name}s": count for name, count in progress.counts.items()},
        "waiting": [
            {"row": item.key, "given": item.inputs, "answer": item.answer} for item in session.list_waiting_items()
        ],
        **agreement.to_json(),
        "disputes": [
            {"row": dispute.row, "words": {who: word.to_json() for who, word in sorted(dispute.decisions.items())}}
            for dispute in agreement.disputes
        ],
        "torn": session.decision_log.torn_lines,
    }


def _print_review_summary(session: ReviewSession) -> None:
    """Print progress, agreement and disagreements of reviewers, and what is left."""
    from factory.views.formatting import format_number

    progress, agreement = session.measure_progress(), session.compute_agreement()
    counts = ", ".join(f"{count} {name}" for name, count in progress.counts.items() if count) or "no decisions yet"
    output.print_line(f"\n{output.style_bold(session.reviewer)} {progress.decided} of {progress.total} rows: {counts}")
    for pair in agreement.pairs:
        kappa = format_number(pair.kappa, 2) if pair.kappa is not None else "undefined (one verdict throughout)"
        output.print_line(f"{pair.a} and {pair.b}: agreed on {pair.agreed} of {pair.rows} rows, Cohen's κ {kappa}")
    items = {item.key: item for item in session.items}
    for dispute in agreement.disputes[:MAX_DISPUTES]:
        verdicts = ", ".join(f"{who} {decision.verdict}" for who, decision in sorted(dispute.decisions.items()))
        output.print_line(f"  {verdicts}: {_format_disputed_row(session, items.get(dispute.row), dispute.row)}")
    if len(agreement.disputes) > MAX_DISPUTES:
        hidden = len(agreement.disputes) - MAX_DISPUTES
        output.print_line(output.style_dim(f"  and {hidden} more disagreements; --json lists all"))
    if session.decision_log.torn_lines:
        output.print_note(f"{session.file}: ignored {session.decision_log.torn_lines} lines that are not decisions")
    if progress.decided < progress.total:
        output.print_note(f"{progress.total - progress.decided} rows left; run the same command to continue")


def _format_disputed_row(session: ReviewSession, item: ReviewItem | None, key: str) -> str:
    from factory.views.formatting import clean_line

    return clean_line(session.show(item), 90) if item else key[:12]
