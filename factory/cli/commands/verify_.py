"""`factory verify`: check the files of a bundle against the digests in its manifest."""

from __future__ import annotations

from pathlib import Path

import click

from factory.cli import output
from factory.errors import BAD_INPUT
from factory.runs.specialists import resolve_bundle
from factory.store.paths import find_home
from factory.views.formatting import format_count


@click.command()
@click.argument("bundle")
@output.json_option
def command(bundle: str, as_json: bool) -> int:
    """Check the files of a bundle against its manifest. BUNDLE is a folder, or a specialist's NAME or NAME@VERSION."""
    from factory.bundle import verify_bundle

    folder = Path(bundle) if Path(bundle).is_dir() else resolve_bundle(find_home(), bundle)
    problems = [str(problem) for problem in verify_bundle(folder)]
    if as_json:
        output.print_json({"bundle": str(folder), "problems": problems})
    else:
        for problem in problems:
            output.print_line(problem)
        result = format_count(len(problems), "problem") if problems else "all files match the manifest"
        output.print_note(f"{folder}: {result}")
    return BAD_INPUT if problems else 0
