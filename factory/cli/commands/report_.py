"""`factory report`: a run as one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

import click

from factory.cli import out


@click.command()
@click.argument("run", default="latest")
@click.option("-o", "--out", "target", type=click.Path(path_type=Path), help="The file; default RUN.html here.")
def command(run: str, target: Path | None) -> None:
    """Write a run as one HTML file."""
    from factory.evidence import RunOutputs
    from factory.home import find_home
    from factory.report.page import render_run_page
    from factory.runs import find_run

    evidence = RunOutputs(find_home(), find_run(find_home(), run))
    path = target or Path(f"{evidence.run.id}.html")
    path.write_text(render_run_page(evidence), encoding="utf-8")
    out.print_line(str(path))
