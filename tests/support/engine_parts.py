"""Builds of the toy in this process, with all that they said."""

from pathlib import Path

from toy_project import resolved

from factory.engine.build import BuildResult, run_build
from factory.events import Event, StageStarted
from factory.store.paths import find_home


def run(folder: Path, *overrides: str, force: tuple[str, ...] = ()) -> tuple[BuildResult, list[Event]]:
    events: list[Event] = []
    spec, registry = resolved(folder, *overrides)
    result = run_build(spec, registry, find_home(), force=force, listener=lambda at, event: events.append(event))
    return result, events


def ran(events: list[Event]) -> list[str]:
    return [event.stage for event in events if isinstance(event, StageStarted)]
