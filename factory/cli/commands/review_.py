"""`factory review`: a subject expert reviews training rows, at the terminal or in a spreadsheet."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output, spec_args
from factory.cli.run_until import make_until_stage
from factory.store.paths import find_home
from factory.views.formatting import clean_line, format_count

if TYPE_CHECKING:
    from factory.review import ReviewSession

MAX_DISPUTES = 20
"""Maximum number of disagreements listed."""


@click.command()
@spec_args.spec_arguments
@click.option("--reviewer", default="", metavar="NAME", help="Name of the reviewer; default: your user name.")
@click.option("--rows", default=0, metavar="N", type=click.IntRange(min=0),
              help="Number of rows to review; default: data.review.share of all.")
@click.option("--csv", "export", type=click.Path(path_type=Path, allow_dash=True), metavar="OUT",
              help="Export the rows as CSV instead of prompting; - for standard output.")
@click.option("--from", "decided", type=click.Path(path_type=Path), metavar="CSV",
              help="Import the decisions of an exported CSV.")
@output.json_option
def command(
    arguments: spec_args.SpecArguments, reviewer: str, rows: int, export: Path | None, decided: Path | None,
    as_json: bool,
) -> None:
    """Let a subject expert accept, reject or edit training rows.

    Rows are a stratified sample, doubtful ones first, shown without their origin. Each decision is saved before the
    next row is shown, and the same command continues where you stopped. From a pipe, a line is a decision: a, r, s,
    `n REASON` or `e ANSWER`. With several reviewers, their agreement (Cohen's κ) is reported.
    """
    if export is not None and decided is not None:
        raise click.UsageError("--csv and --from cannot be used together")
    session = _open_review_session(arguments, reviewer, rows)
    if export is not None:
        _export_review_sheet(session, export)
    elif decided is not None:
        _import_review_sheet(session, decided)
    elif not as_json:
        _run_review_prompt(session)
    if as_json:
        output.print_json(_build_review_state(session))
    elif export is None:
        _print_review_summary(session)


def _open_review_session(arguments: spec_args.SpecArguments, reviewer: str, rows: int) -> ReviewSession:
    """Open a review session; the rows are built first if they are not cached."""
    resolved = arguments.resolve()
    from factory.plan.compiler import compile_plan
    from factory.review import session_from_spec

    session_from_spec.require_review_settings(resolved)
    plan = compile_plan(resolved)
    make_until_stage(plan, "curate", resolved, arguments)
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
        f"wrote {format_count(len(session.items), 'row')} to {sheet}; set column decision to accept, reject or edit "
        f"(after changing the answer in place), then import it with --from {sheet}"
    )


def _import_review_sheet(session: ReviewSession, sheet: Path) -> None:
    from factory.review import spreadsheet

    imported = spreadsheet.read_review_sheet(sheet, session, session.items)
    session.write_decisions(imported.decisions)
    output.print_note(f"{sheet}: imported {format_count(len(imported.decisions), 'decision')} by {session.reviewer}")
    for note in imported.notes:
        output.print_note(note)


def _build_review_state(session: ReviewSession) -> dict[str, Any]:
    """Return the session as JSON data: progress of this reviewer, rows left, and agreement of reviewers."""
    progress, agreement = session.measure_progress(), session.compute_agreement()
    disputes = {dispute.row: sorted(dispute.decisions.items()) for dispute in agreement.disputes}
    return {
        "reviewer": session.reviewer, "file": str(session.file), "asked": progress.total, "decided": progress.decided,
        **{f"{name}s": count for name, count in progress.counts.items()},
        "waiting": [
            {"row": item.key, "given": item.inputs, "answer": item.answer} for item in session.list_waiting_items()
        ],
        **agreement.to_json(),
        "disputes": [
            {"row": row, "words": {who: decision.to_json() for who, decision in decisions}}
            for row, decisions in disputes.items()
        ],
        "torn": session.decision_log.torn_lines,
    }


def _print_review_summary(session: ReviewSession) -> None:
    """Print progress, agreement and disagreements of reviewers, and what is left."""
    from factory.views.review import describe_agreements, describe_progress, list_disputes

    output.print_line(f"\n{output.style_texts(describe_progress(session))}")
    for line in describe_agreements(session):
        output.print_line(clean_line(line))
    disputes = list_disputes(session)
    for dispute in disputes[:MAX_DISPUTES]:
        output.print_line(f"  {output.style_texts(dispute)}")
    if len(disputes) > MAX_DISPUTES:
        hidden = format_count(len(disputes) - MAX_DISPUTES, "more disagreement")
        output.print_line(output.style_dim(f"  and {hidden}; --json lists all"))
    if session.decision_log.torn_lines:
        output.print_note(f"{session.file}: ignored {format_count(session.decision_log.torn_lines, 'invalid line')}")
    progress = session.measure_progress()
    if progress.decided < progress.total:
        left = format_count(progress.total - progress.decided, "row")
        output.print_note(f"{left} left; run the same command to continue")
