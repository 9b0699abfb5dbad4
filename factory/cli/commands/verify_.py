"""`factory verify`: check the files of a bundle against the digests in its manifest."""

from __future__ import annotations

import os
from pathlib import Path

import click

from factory.cli import output
from factory.errors import BAD_INPUT, InputError
from factory.runs.specialists import find_version
from factory.store.paths import find_home
from factory.views.formatting import clean_line, format_count


@click.command()
@click.argument("bundle")
@output.json_option
def command(bundle: str, as_json: bool) -> int:
    """Check the files of a bundle against its manifest. BUNDLE is a folder, or a specialist's NAME or NAME@VERSION."""
    from factory.bundle import verify_bundle

    folder = _find_bundle(bundle)
    problems = [str(problem) for problem in verify_bundle(folder)]
    if as_json:
        output.print_json({"bundle": str(folder), "problems": problems})
    else:
        for problem in problems:
            output.print_line(clean_line(problem))
        result = format_count(len(problems), "problem") if problems else "all files match the manifest"
        output.print_note(f"{folder}: {result}")
    return BAD_INPUT if problems else 0


def _find_bundle(text: str) -> Path:
    """Return the folder of a bundle. A specialist's name means the specialist, also beside a folder of that name."""
    folder = Path(text)
    try:
        return folder if os.sep in text and folder.is_dir() else find_version(find_home(), text).bundle
    except InputError:
        if folder.is_dir():
            return folder
        raise
