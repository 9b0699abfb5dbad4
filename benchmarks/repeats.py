"""Repeats: the texts that test rows of a data set share with its training rows, letter case aside, and what leaks.

FILE is JSONL with a `split` on each row; `--on` names the columns that are the input.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from factory.api import TEST, TRAIN, Provenance, Row
from factory.data.leakage import LeakageCriteria, find_leaks, find_repeated_texts


def read_file_rows(path: Path, on: tuple[str, ...]) -> list[Row]:
    """The rows of a file, named by their lines."""
    found = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            value = json.loads(line)
            columns = {name: value[name] for name in on}
            found.append(Row(f"line {number}", columns, Provenance(path.name, number), split=value["split"]))
    return found


@click.command(help=__doc__)
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--on", multiple=True, default=("text",), show_default=True)
@click.option("--near", default=0.8, show_default=True, help="Similarity that leaks.")
@click.option("--show", default=100, show_default=True, help="Texts shown, at most.")
def main(file: Path, on: tuple[str, ...], near: float, show: int) -> None:
    """Print each repeated text with the lines of both sides, then the counts."""
    rows = read_file_rows(file, on)
    train, test = ([row for row in rows if row.split == part] for part in (TRAIN, TEST))
    found = find_repeated_texts(train, test, on)
    for repeat in found[:show]:
        click.echo(f"{repeat.text!r}: train {', '.join(repeat.train)}; test {', '.join(repeat.test)}")
    leaked = Counter(leak.match_type for leak in find_leaks(train, test, LeakageCriteria(on, near)))
    click.echo(f"{len(found)} texts of {len(test)} test rows stand in {len(train)} training rows word for word")
    said = ", ".join(f"{how} {count}" for how, count in sorted(leaked.items())) or "none"
    click.echo(f"training rows that a build would drop at {near:g}: {said}")


if __name__ == "__main__":
    main()
