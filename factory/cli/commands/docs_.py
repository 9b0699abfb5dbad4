"""`factory docs`: the reference of all installed kinds, and the guides, as HTML or Markdown."""

from __future__ import annotations

from pathlib import Path

import click

from factory.cli import output, spec_args
from factory.views.formatting import format_count


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Write Markdown instead of HTML.")
@spec_args.plugins_option
def command(folder: Path, markdown: bool, folders: tuple[Path, ...]) -> None:
    """Write the reference of all installed kinds, and the guides, into FOLDER as HTML."""
    from factory.registry.registry import load_installed_registry
    from factory.report.docs.site import write_docs_site

    count = write_docs_site(folder, load_installed_registry(folders), markdown)
    output.print_line(str(folder / f"index.{'md' if markdown else 'html'}"))
    output.print_note(f"wrote {format_count(count, 'page')}")
