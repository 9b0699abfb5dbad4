"""`factory docs`: the pages of all kinds, and the guides, as HTML."""

from __future__ import annotations

from pathlib import Path

import click

from factory.cli import output, spec_args


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Markdown, for a site of your own.")
@spec_args.plugins_option
def command(folder: Path, markdown: bool, folders: tuple[Path, ...]) -> None:
    """Write the pages of all kinds, from the installed classes, and the guides, into FOLDER as HTML."""
    from factory.registry.registry import load_installed_registry
    from factory.report.docs.site import write_docs_site

    count = write_docs_site(folder, load_installed_registry(tuple(folders)), markdown)
    output.print_line(str(folder / f"index.{'md' if markdown else 'html'}"))
    output.print_note(f"{count} pages")
