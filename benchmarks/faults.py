"""Inject thousands of faults into the factory and keep a ledger of what came of each.

Each fault is determined by the seed, its kind and its number: `--only KIND:NUMBER` repeats one alone. A run that was
stopped goes on with the same command. It ends with a table of kinds and outcomes; the exit code is 1 if work was lost,
a result was wrong, something hung, or a traceback was shown.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from entry import run_main
from fault_kinds.bundles import inject_bundle_damage, inject_resealed_bundle
from fault_kinds.clocks import inject_clock
from fault_kinds.disks import inject_full_disk
from fault_kinds.endpoints import inject_endpoint_fault
from fault_kinds.fault import Fault, FaultKind, Outcome
from fault_kinds.isolated import preload_modules
from fault_kinds.kills import inject_killed_build, inject_killed_writer
from fault_kinds.races import inject_race
from fault_kinds.sources import inject_source_damage
from fault_kinds.specs import inject_mutated_spec
from fault_kinds.stores import inject_home_damage, inject_store_damage
from fault_kinds.world import World

KINDS = (
    FaultKind("mutated-spec", 6400, 40, inject_mutated_spec),
    FaultKind("bundle-damage", 1400, 15, inject_bundle_damage),
    FaultKind("bundle-resealed", 500, 10, inject_resealed_bundle),
    FaultKind("killed-writer", 500, 10, inject_killed_writer),
    FaultKind("source-file", 400, 10, inject_source_damage),
    FaultKind("home-file", 200, 6, inject_home_damage),
    FaultKind("endpoint", 250, 6, inject_endpoint_fault),
    FaultKind("store-output", 220, 5, inject_store_damage),
    FaultKind("full-disk", 105, 4, inject_full_disk),
    FaultKind("race", 110, 5, inject_race),
    FaultKind("clock", 100, 4, inject_clock),
    FaultKind("killed-build", 54, 3, inject_killed_build),
)
REPORT_INTERVAL = 20.0
"""Seconds between two lines of progress."""


def count_by_kind(kinds: Iterable[FaultKind], faults: int) -> dict[FaultKind, int]:
    """Return how many faults of each kind a run of about so many faults has."""
    return {kind: max(kind.least, round(kind.count * faults / 10_000)) for kind in kinds}


def schedule(counts: dict[FaultKind, int]) -> list[tuple[FaultKind, int]]:
    """Return all faults in order, the kinds spread evenly, so that a run cut short has tried all of them."""
    places = [((n + 0.5) / count, kind.name, kind, n) for kind, count in counts.items() for n in range(count)]
    return [(kind, number) for _, _, kind, number in sorted(places, key=lambda place: place[:2])]


def read_fault_ledger(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a ledger; the end of a line that a kill tore is cut off, and its fault comes again."""
    data = file.read_bytes() if file.is_file() else b""
    if whole := data.rfind(b"\n") + 1:
        os.truncate(file, whole)
    return [json.loads(line) for line in data[:whole].splitlines()]


def inject_fault(kind: FaultKind, number: int, seed: int, world: World) -> dict[str, Any]:
    """Inject one fault and return its line of the ledger."""
    folder, start = world.folder / f"{kind.name}-{number}", time.monotonic()
    folder.mkdir()
    seen = kind.inject(Fault(kind.name, number, seed, world, folder))
    shutil.rmtree(folder, ignore_errors=True)
    seconds = round(time.monotonic() - start, 3)
    return {
        "kind": kind.name, "number": number, "seed": seed, "what": seen.what, "seen": seen.seen, "seconds": seconds,
        "outcome": str(seen.outcome),
    }


def iterate_faults(
    todo: list[tuple[FaultKind, int]], seed: int, world: World, deadline: float
) -> Iterator[dict[str, Any]]:
    """Inject the faults until the deadline, and report the rate and the time that is left."""
    start = last = time.monotonic()
    for count, (kind, number) in enumerate(todo, 1):
        yield inject_fault(kind, number, seed, world)
        now = time.monotonic()
        if now - last > REPORT_INTERVAL or count == len(todo):
            left = (now - start) / count * (len(todo) - count)
            click.echo(f"{count:,} of {len(todo):,} faults, {count / (now - start):.1f} a second, {left:.0f} s left")
            last = now
        if now > deadline:
            return


def print_table(lines: list[dict[str, Any]]) -> bool:
    """Print kinds and outcomes with their counts, then what went wrong; returns whether nothing did."""
    found = Counter((line["kind"], line["outcome"]) for line in lines)
    names = [kind.name for kind in KINDS if any(line["kind"] == kind.name for line in lines)]
    click.echo("".join(f"{title:>16}" for title in ("kind", "faults", *Outcome, "seconds")))
    for name in [*names, "all"]:
        chosen = [line for line in lines if name in (line["kind"], "all")]
        row = [len(chosen), *(sum(found[k, o] for k in names if name in (k, "all")) for o in Outcome)]
        seconds = sum(line["seconds"] for line in chosen)
        click.echo(f"{name:>16}" + "".join(f"{count:>16,}" for count in row) + f"{seconds:>16,.0f}")
    bad = [line for line in lines if line["outcome"] != Outcome.OK]
    for line in bad:
        click.echo(f"{line['kind']}:{line['number']} {line['outcome']}: {line['what']}: {line['seen'][-400:]}")
    return not bad


def choose_faults(names: tuple[str, ...], faults: int, only: str) -> list[tuple[FaultKind, int]]:
    """Return the faults to inject, in order. Raises UsageError for a kind that is none."""
    known = {kind.name: kind for kind in KINDS}
    name, _, number = only.partition(":")
    if unknown := {*names, *([name] if only else [])} - {*known}:
        raise click.UsageError(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if only:
        if not number.isdigit():
            raise click.UsageError("--only takes KIND:NUMBER")
        return [(known[name], int(number))]
    return schedule(count_by_kind([known[each] for each in names or known], faults))


@click.command()
@click.option("--faults", default=10_000, show_default=True, help="about how many, over all kinds")
@click.option("--minutes", default=0.0, help="stop after so many minutes; 0: when all were injected")
@click.option("--kinds", default="", help=f"of {', '.join(kind.name for kind in KINDS)}; separated by commas")
@click.option("--seed", default=7, show_default=True)
@click.option("--only", default="", help="KIND:NUMBER, to repeat one fault")
@click.option("--ledger", type=click.Path(path_type=Path, dir_okay=False), default=None, help="JSONL file that goes on")
def main(faults: int, minutes: float, kinds: str, seed: int, only: str, ledger: Path | None) -> None:
    """Inject faults, write a line for each to the ledger, and print a table of outcomes."""
    todo = choose_faults(tuple(filter(None, kinds.split(","))), faults, only)
    lines = [line for line in read_fault_ledger(ledger) if line["seed"] == seed] if ledger else []
    done = {(line["kind"], line["number"]) for line in lines}
    todo = [fault for fault in todo if (fault[0].name, fault[1]) not in done]
    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, open(ledger or os.devnull, "ab") as file:
        world = World(Path(folder).resolve())
        world.prepare()
        preload_modules(world.spec)
        gc.collect()
        gc.freeze()  # forks share what is loaded by now
        for line in iterate_faults(todo, seed, world, deadline):
            lines.append(line)
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
        for session in world.sessions.values():
            session.close()
    sys.exit(0 if print_table(lines) else 1)


if __name__ == "__main__":
    run_main(main)
