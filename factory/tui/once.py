"""A screen as text or as data, for dumb terminals, scripts and tests. It makes no app and needs no terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.evaluation.compare import find_tuned_contender
from factory.tui.beside import Beside, beside, evidence_of
from factory.tui.estimates import earlier, finish
from factory.tui.grid import drawn
from factory.tui.index import Index
from factory.tui.lines import Line, line, text_of
from factory.tui.shelf import kept
from factory.tui.views import compare, data, log, run, runs, specialists, verdict, whole
from factory.tui.watch import watch
from factory.tui.widgets.curves import How, text

SCREENS = ("runs", "run", "verdict", "compare", "specialists")
WORST = 10
"""Rows of a comparison that are told, the worst first."""
EXAMPLES = 3
"""Rows whose answers are told in full."""
CURVE = 14
"""Lines of a curve."""


@dataclass(frozen=True, slots=True)
class Told:
    """A screen: its lines for a width, and its facts."""

    lines: Callable[[int], Sequence[Line]]
    facts: Any

    def text(self, room: int) -> str:
        """As one prints it."""
        return text_of(self.lines(room))


def once(home: Path, screen: str, asked: Sequence[str], now: float) -> Told:
    """One screen of a home. Raises InputError when there is no such run."""
    index = Index(home).load().refresh()
    index.save()
    return {"runs": _runs, "run": _run, "verdict": _verdict, "compare": _compare, "specialists": _specialists}[screen](
        home, index, list(asked), now
    )


def _title(text: str) -> list[Line]:
    return [line(), line((text, "title"))]


def _runs(home: Path, index: Index, asked: Sequence[str], now: float) -> Told:
    every = [one for one in index.all() if not asked or one.id in asked or one.name in asked]
    return Told(lambda room: drawn(runs.grid(every, now), room), runs.facts(every))


def _run(home: Path, index: Index, asked: Sequence[str], now: float) -> Told:
    evidence = evidence_of(home, asked[0] if asked else "latest")
    held = watch(home, evidence.run.id).all()
    view = held.settled()
    until = finish(view, earlier(home, view.name, index), now) if view.state == "running" else None
    tail = log.LogTail(held.path.with_name("worker.log"))
    tail.look()
    names = held.names()

    def lines(room: int) -> list[Line]:
        found = [*run.heading(held, view, now, until), *run.failures(view, room)]
        found += [*run.gauges(held, view, None, None, room), line()]
        found += drawn(run.stages(view, now), room)
        for name in names[:1]:
            picture = text({name: held.curve(name)}, How(), min(room, 100), CURVE)
            found += [
                *_title(f"{name.replace('_', ' ')} by step, smoothed"),
                *(line(row) for row in picture.splitlines()),
            ]
        found += [*_title("data"), *data.page(evidence, room)]
        found += [*_title("preflight"), *drawn(data.preflight(evidence), room)]
        return [*found, *_title("log"), *log.page(held.notes, tail.lines[-20:], room)]

    return Told(lines, {**run.facts(held, until), **data.facts(evidence)})


def _verdict(home: Path, index: Index, asked: Sequence[str], now: float) -> Told:
    from factory.tui.screens.verdict import slices_of
    from factory.views.formatting import find_deciding_comparison

    evidence = evidence_of(home, asked[0] if asked else "latest")
    gate = evidence.read_stage_json("gate")
    parts = slices_of(evidence) if gate else []
    other = str(find_deciding_comparison(gate).get("baseline", ""))
    share = float(gate.get("confidence", 0.95))

    def lines(room: int) -> list[Line]:
        found = [*verdict.headline(evidence, room), line(), *drawn(verdict.contenders(evidence), room)]
        found += [*_title("why"), *verdict.reasoning(evidence, room)]
        found += [*_title(f"slices: tuned against {other}"), *drawn(verdict.slices(parts, share, other), room, 30)]
        found += [line(), *whole.page(evidence, find_tuned_contender(evidence.run), room)]
        found += [*_title("forgetting"), *drawn(verdict.forgetting(evidence), room)]
        return [*found, *_title("cost"), *drawn(verdict.costs(evidence), room)]

    return Told(lines, verdict.facts(evidence, parts))


def _compare(home: Path, index: Index, asked: Sequence[str], now: float) -> Told:
    found: Beside = beside(home, asked)
    for _ in found.work():
        pass
    pair = found.maybe(0, 1)

    def lines(room: int) -> list[Line]:
        rows = compare.rows(found, pair)
        made = [*compare.legend(found, 1, room), *([compare.counts(pair)] if pair else []), line()]
        made += drawn(compare.metrics(found, found.scores), room)
        made += [*_title("spec"), *drawn(compare.fields(found), room)]
        made += [*_title("rows, the worst for A first"), *drawn(rows, room, WORST)]
        for each in rows.records[:EXAMPLES]:
            made += [line(), *compare.outputs(found, each.key, 1, room)]
        return made

    return Told(lines, compare.facts(found, 1))


def _specialists(home: Path, index: Index, asked: Sequence[str], now: float) -> Told:
    shelf = [one for one in kept(home, index) if not asked or one.version.name in asked or one.label in asked]

    def lines(room: int) -> list[Line]:
        found = list(drawn(specialists.grid(shelf, index, now), room))
        for one in shelf if asked else ():
            found += [line(), *specialists.lineage(one, evidence_of(home, one.version.run), None, room)]
        return found

    return Told(lines, specialists.facts(shelf, index))
