"""`factory docs`: the pages of all kinds, and the guides, as HTML."""

from __future__ import annotations

from pathlib import Path

import click

from factory.cli import load, out


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Markdown, for a site of your own.")
@load.plugins_option
def command(folder: Path, markdown: bool, folders: tuple[Path, ...]) -> None:
    """Write the pages of all kinds, from the installed classes, and the guides, into FOLDER as HTML."""
    from factory.docs.site import write_docs_site
    from factory.plugins import load_installed_registry

    count = write_docs_site(folder, load_installed_registry(tuple(folders)), markdown)
    out.print_line(str(folder / f"index.{'md' if markdown else 'html'}"))
    out.print_note(f"{count} pages")
