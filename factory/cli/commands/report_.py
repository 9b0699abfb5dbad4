"""`factory report`: write a run as one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from factory.cli import output
from factory.runs.specialists import find_run_outputs
from factory.store.paths import find_home


@click.command()
@click.argument("run", default="latest")
@click.option("-o", "--out", "target", type=click.Path(path_type=Path), help="File to write; default: ./RUN.html.")
@output.json_option
def command(run: str, target: Path | None, as_json: bool) -> None:
    """Write a run as one self-contained HTML file. RUN is what `show` takes."""
    from factory.report.run_page import render_run_page

    evidence = find_run_outputs(find_home(), run)
    path = target or Path(f"{evidence.run.id}.html")
    path.write_text(render_run_page(evidence), encoding="utf-8")
    if as_json:
        output.print_json({"file": str(path), **evidence.run.summarise_run()})
    else:
        output.print_line(str(path))
