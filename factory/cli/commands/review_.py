"""`factory review`: a subject expert says of training rows what is right, at the terminal or in a spreadsheet."""

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
"""Rows on which reviewers differ that are listed."""


@click.command()
@spec_args.spec_argument
@spec_args.profile_option
@spec_args.set_option
@spec_args.plugins_option
@click.option("--reviewer", default="", metavar="NAME", help="Who decides; default is the name of the account.")
@click.option("--rows", default=0, metavar="N", type=click.IntRange(min=0),
              help="Rows to ask about; default is data.review.share of all.")
@click.option("--csv", "sheet", type=click.Path(path_type=Path, allow_dash=True), metavar="OUT",
              help="Write the queue for a spreadsheet, and ask nothing; - for standard output.")
@click.option("--from", "back", type=click.Path(path_type=Path), metavar="CSV", help="Take the decisions of a sheet.")
@output.json_option
def command(  # noqa: PLR0913  (each is an option of the command line)
    spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], reviewer: str, rows: int,
    sheet: Path | None, back: Path | None, as_json: bool,
) -> None:
    """Let a subject expert accept, reject or edit training rows.

    Rows come in a stratified sample, doubtful ones first, and do not say who made them. Every key is on the disk before
    the next row; the same command goes on where it stopped. From a pipe, a line is a decision: a, r, s, `n WHY`,
    `e ANSWER`. Two reviewers get an agreement (Cohen's κ).
    """
    if sheet is not None and back is not None:
        raise click.UsageError("--csv writes a sheet and --from reads one; give one of them")
    desk = _open_review_session(spec, profile, overrides, folders, reviewer, rows)
    if sheet is not None:
        _export_review_sheet(desk, sheet)
    elif back is not None:
        _import_review_sheet(desk, back)
    elif not as_json:
        _run_review_prompt(desk)
    if as_json:
        output.print_json(_build_review_state(desk))
    elif sheet is None:
        _print_review_summary(desk)


def _open_review_session(
    spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], reviewer: str, rows: int
) -> ReviewSession:
    """The desk over rows that are made when they are not there."""
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
    return session_from_spec.open_review_session(resolved, plan, find_home(), clean_line(reviewer) or getpass.getuser(), rows)


def _run_review_prompt(desk: ReviewSession) -> None:
    from factory.cli.review_prompt import ReviewPrompt, read_key_presses, read_piped_keys

    if sys.stdin.isatty():
        ReviewPrompt(desk, read_key_presses()).run()
    else:  # nobody is there whose editor could open
        ReviewPrompt(desk, read_piped_keys(), open_editor=lambda text: None, prompt_text=lambda question: "").run()


def _export_review_sheet(desk: ReviewSession, sheet: Path) -> None:
    from factory.review import spreadsheet as sheets

    text = sheets.render_review_sheet(desk, desk.items)
    if str(sheet) == "-":
        click.echo(text, nl=False)
        return
    sheet.write_text(text, encoding="utf-8", newline="")
    output.print_note(f"{sheet}: {len(desk.items)} rows; fill the column decision with accept, reject or edit (and change the "
             f"answer in its place), and give it back by --from {sheet}")


def _import_review_sheet(desk: ReviewSession, sheet: Path) -> None:
    from factory.review import spreadsheet as sheets

    found = sheets.read_review_sheet(sheet, desk, desk.items)
    desk.write_decisions(found.decisions)
    output.print_note(f"{sheet}: {len(found.decisions)} decisions of {desk.reviewer} taken")
    for note in found.notes:
        output.print_note(note)


def _build_review_state(desk: ReviewSession) -> dict[str, Any]:
    """The sitting as data: how far this reviewer is, what waits, and whether reviewers agree."""
    done, agreed = desk.measure_progress(), desk.compute_agreement()
    return {
        "reviewer": desk.reviewer, "file": str(desk.file), "asked": done.total, "decided": done.decided,
        **{f"{name}s": count for name, count in done.counts.items()},
        "waiting": [{"row": item.key, "given": item.inputs, "answer": item.answer} for item in desk.list_waiting_items()],
        **agreed.to_json(),
        "disputes": [
            {"row": each.row, "words": {who: word.to_json() for who, word in sorted(each.decisions.items())}}
            for each in agreed.disputes
        ],
        "torn": desk.decision_log.torn_lines,
    }


def _print_review_summary(desk: ReviewSession) -> None:
    """What stands now, and what to do next."""
    from factory.views.formatting import format_number

    done, agreed = desk.measure_progress(), desk.compute_agreement()
    told = ", ".join(f"{count} {name}" for name, count in done.counts.items() if count) or "nothing yet"
    output.print_line(f"\n{output.style_bold(desk.reviewer)} {done.decided} of {done.total} rows: {told}")
    for pair in agreed.pairs:
        kappa = format_number(pair.kappa, 2) if pair.kappa is not None else "not told: both always said the same word"
        output.print_line(f"{pair.a} and {pair.b}: {pair.agreed} of {pair.rows} alike, Cohen's κ {kappa}")
    items = {item.key: item for item in desk.items}
    for dispute in agreed.disputes[:MAX_DISPUTES]:
        said = ", ".join(f"{who} {word.verdict}" for who, word in sorted(dispute.decisions.items()))
        output.print_line(f"  {said}: {_format_disputed_row(desk, items.get(dispute.row), dispute.row)}")
    if len(agreed.disputes) > MAX_DISPUTES:
        output.print_line(output.style_dim(f"  and {len(agreed.disputes) - MAX_DISPUTES} more on which they differ; --json lists all"))
    if desk.decision_log.torn_lines:
        output.print_note(f"{desk.file}: {desk.decision_log.torn_lines} lines are no decision; passed over")
    if done.decided < done.total:
        output.print_note(f"{done.total - done.decided} rows wait; the same command goes on there")


def _format_disputed_row(desk: ReviewSession, item: ReviewItem | None, key: str) -> str:
    from factory.views.formatting import clean_line

    return clean_line(desk.show(item), 90) if item else key[:12]
