"""`factory runs`: every run, newest first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from factory.cli import out

if TYPE_CHECKING:
    from factory.evidence import RunOutputs


@click.command()
@click.option("--limit", default=20, show_default=True, help="At most so many; 0 for all.")
@out.json_option
def command(limit: int, as_json: bool) -> None:
    """List the runs."""
    from factory.evidence import RunOutputs
    from factory.home import find_home
    from factory.journal import list_journals
    from factory.runs import iterate_newest_runs

    rows = [_row(RunOutputs(find_home(), run)) for run in islice(iterate_newest_runs(find_home()), limit if limit > 0 else None)]
    if as_json:
        out.emit(rows)
        return
    if not rows:
        out.note(f"no runs in {find_home()}; `factory build SPEC` makes one")
        return
    out.say(
        out.table(["run", "task", "profile", "state", "verdict", "score", "took", "started"], _cells(rows), right=(6,))
    )
    older = len(list_journals(find_home())) - len(rows)
    if older > 0:
        out.note(f"{older} older; --limit 0 lists all")


def _row(evidence: RunOutputs) -> dict[str, Any]:
    run, gate = evidence.run, evidence.read_stage_json("gate") if evidence.run.verdict else {}
    return {
        **run.summarise_run(),
        "metric": gate.get("metric", ""),
        "score": gate.get("tuned", {}).get("mean"),
        "started": run.started,
    }


def _cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    from factory.report.words import ago, clean, number, seconds

    now = time.time()
    return [
        [
            *(clean(r[name]) for name in ("run", "task", "profile", "state", "verdict")),
            f"{r['metric']} {number(r['score'])}" if r["metric"] else "",
            seconds(r["seconds"]),
            ago(now - r["started"]),
        ]
        for r in rows
    ]
