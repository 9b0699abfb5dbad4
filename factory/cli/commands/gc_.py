"""`factory gc`: free the disk of what no recent run refers to."""

from __future__ import annotations

import click

from factory.cli import output


@click.command()
@click.option("--keep", default=5, show_default=True, help="Of each specialist, keep what so many runs refer to.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and leave it.")
@output.json_option
def command(keep: int, dry_run: bool, as_json: bool) -> None:
    """Free the disk of what no recent run refers to.

    Runs that are going on are kept whole, and so is a half-made output that a build holds, or may resume.
    """
    from factory.cli.gc import collect_garbage
    from factory.store.paths import find_home
    from factory.views.formatting import format_bytes

    gone = collect_garbage(find_home(), keep, dry_run=dry_run)
    if as_json:
        output.print_json({"freed": sum(g.bytes for g in gone), "dry_run": dry_run, "folders": [g.to_json() for g in gone]})
        return
    for one in gone:
        output.print_line(f"{one.place}  {format_bytes(one.bytes)}  {one.why}")
    verb = "would free" if dry_run else "freed"
    output.print_note(f"{verb} {format_bytes(sum(g.bytes for g in gone))} in {len(gone)} folders of {find_home()}")
