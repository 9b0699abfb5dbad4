"""Repeats: texts that test rows of a data set share with its training rows (ignoring case), and rows that leak.

FILE is JSONL with a `split` in each row; `--on` names the input columns.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click
from entry import run_main

from factory.api import TEST, TRAIN, Provenance, Row
from factory.data.leakage import LeakageCriteria, find_leaks, find_repeated_texts


def read_file_rows(path: Path, names: tuple[str, ...]) -> list[Row]:
    """Return the rows of a file; ids are line numbers."""
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            value = json.loads(line)
            columns = {name: value[name] for name in names}
            rows.append(Row(f"line {number}", columns, Provenance(path.name, number), split=value["split"]))
    return rows


@click.command(help=__doc__)
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--on", "columns", multiple=True, default=("text",), show_default=True)
@click.option("--near", "jaccard", default=0.8, show_default=True, help="Jaccard similarity that counts as a leak.")
@click.option("--show", default=100, show_default=True, help="Maximum number of texts shown.")
def main(file: Path, columns: tuple[str, ...], jaccard: float, show: int) -> None:
    """Print each repeated text with the lines of both sides, then the counts."""
    rows = read_file_rows(file, columns)
    train, test = ([row for row in rows if row.split == part] for part in (TRAIN, TEST))
    repeats = find_repeated_texts(train, test, columns)
    for repeat in repeats[:show]:
        click.echo(f"{repeat.text!r}: train {', '.join(repeat.train)}; test {', '.join(repeat.test)}")
    leaked = Counter(leak.match_type for leak in find_leaks(train, test, LeakageCriteria(columns, jaccard)))
    click.echo(f"{len(repeats)} texts of {len(test)} test rows also occur in {len(train)} training rows")
    counts = ", ".join(f"{how} {count}" for how, count in sorted(leaked.items())) or "none"
    click.echo(f"training rows that a build would drop at Jaccard {jaccard:g}: {counts}")


if __name__ == "__main__":
    run_main(main)
