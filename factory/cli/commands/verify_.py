"""`factory verify`: check that a bundle is, byte for byte, what was built."""

from __future__ import annotations

import click

from factory.cli import output
from factory.errors import BAD_INPUT


@click.command()
@click.argument("bundle")
@output.json_option
def command(bundle: str, as_json: bool) -> int:
    """Check the files of a bundle against its manifest. BUNDLE is a folder, or a specialist's NAME or NAME@VERSION."""
    from pathlib import Path

    from factory.bundle import verify_bundle
    from factory.runs.specialists import resolve_bundle
    from factory.store.paths import find_home

    folder = Path(bundle) if Path(bundle).is_dir() else resolve_bundle(find_home(), bundle)
    problems = [str(problem) for problem in verify_bundle(folder)]
    if as_json:
        output.print_json({"bundle": str(folder), "problems": problems})
    else:
        for problem in problems:
            output.print_line(problem)
        output.print_note(f"{folder}: {f'{len(problems)} problems' if problems else 'all files match the manifest'}")
    return BAD_INPUT if problems else 0
