"""`factory gc`: delete stage outputs that no recent run uses."""

from __future__ import annotations

from dataclasses import asdict

import click

from factory.cli import output
from factory.runs.garbage import collect_garbage
from factory.store.paths import find_home
from factory.views.formatting import format_bytes, format_count


@click.command()
@click.option("--keep", default=5, show_default=True, help="Recent runs of each specialist whose outputs are kept.")
@click.option("--dry-run", is_flag=True, help="List what would be deleted, without deleting it.")
@output.json_option
def command(keep: int, dry_run: bool, as_json: bool) -> None:
    """Delete stage outputs that no recent run uses.

    Outputs of running builds are kept, and so are incomplete outputs that a build has locked or may resume.
    """
    removed = collect_garbage(find_home(), keep, dry_run=dry_run)
    freed = sum(folder.bytes for folder in removed)
    if as_json:
        output.print_json({"freed": freed, "dry_run": dry_run, "folders": [asdict(folder) for folder in removed]})
        return
    for folder in removed:
        output.print_line(f"{folder.place}  {format_bytes(folder.bytes)}  {folder.why}")
    verb, folders = "would free" if dry_run else "freed", format_count(len(removed), "folder")
    output.print_note(f"{verb} {format_bytes(freed)} in {folders} of {find_home()}")
