"""`factory verify`: check the files of a bundle against the digests in its manifest, or all that a home holds."""

from __future__ import annotations

import os
from pathlib import Path

import click

from factory.cli import output
from factory.errors import BAD_INPUT, InputError
from factory.runs.specialists import find_version
from factory.store.paths import find_home
from factory.views.formatting import clean_line, format_count

DAMAGED_STORE = 1
"""Exit code of `--store` if anything is damaged."""


@click.command()
@click.argument("bundle", required=False, default="")
@click.option("--store", is_flag=True, help="Check all stage outputs, bundles, versions, journals, ledgers and cached "
              "answers of the home instead; exit code 1 if anything is damaged.")
@output.json_option
def command(bundle: str, store: bool, as_json: bool) -> int:
    """Check the files of a bundle against its manifest. BUNDLE is a folder, or a specialist's NAME or NAME@VERSION."""
    if bool(bundle) == store:
        raise InputError("name a bundle, or a specialist, or use --store alone")
    return _verify_store(as_json) if store else _verify_one_bundle(bundle, as_json)


def _verify_one_bundle(bundle: str, as_json: bool) -> int:
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


def _verify_store(as_json: bool) -> int:
    from factory.runs.home_check import check_home

    home = find_home()
    report = check_home(home)
    if as_json:
        output.print_json({"home": str(home), "whole": report.whole, "problems": report.problems})
    else:
        for problem in report.problems:
            output.print_line(clean_line(problem))
        whole = ", ".join(f"{count:,} {name}" for name, count in report.whole.items() if count) or "nothing"
        problems = f"{format_count(len(report.problems), 'problem')}; " if report.problems else ""
        output.print_note(f"{home}: {problems}whole: {whole}")
    return DAMAGED_STORE if report.problems else 0


def _find_bundle(text: str) -> Path:
    """Return the folder of a bundle. A specialist's name means the specialist, also beside a folder of that name."""
    folder = Path(text)
    try:
        return folder if os.sep in text and folder.is_dir() else find_version(find_home(), text).bundle
    except InputError:
        if folder.is_dir():
            return folder
        raise
