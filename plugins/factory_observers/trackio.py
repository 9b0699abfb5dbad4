"""Logs every build as a trackio run: the spec as its config, losses by step, at the end the verdict and the seconds.

Runs go to trackio's own folder, `TRACKIO_DIR`; `trackio show` displays them.
"""

from __future__ import annotations

from typing import Any

from factory.api import events, hookimpl
from factory_observers import flatten_name, is_observer_enabled, select_non_default_values


class _TrackioState:
    """The trackio run of the build in this process, and its seconds by stage, which are logged at the end."""

    run: Any = None
    seconds: dict[str, float]


@hookimpl
def factory_event(event: events.Event) -> None:
    """Log an event if `FACTORY_OBSERVERS` names trackio. An exception from here is noted and never stops a build."""
    if isinstance(event, events.RunStarted):
        _TrackioState.run, _TrackioState.seconds = None, {}
        if is_observer_enabled("trackio"):
            _TrackioState.run = _start_trackio_run(event)
    elif _TrackioState.run is not None:
        _log_trackio_event(event, _TrackioState.run)


def _log_trackio_event(event: events.Event, run: Any) -> None:
    if isinstance(event, events.Measured):
        stage = flatten_name(event.stage)
        run.log({f"{stage}.{name}": value for name, value in event.values.items()}, step=event.step)
    elif isinstance(event, events.StageFinished):
        _TrackioState.seconds[f"seconds.{flatten_name(event.stage)}"] = event.seconds
    elif isinstance(event, events.RunFinished):
        verdict = {"verdict": event.verdict or "none", "shipped": int(bool(event.verdict) and event.exit_code == 0)}
        run.log({**_TrackioState.seconds, **verdict, "exit_code": event.exit_code, "seconds": event.seconds})
        run.finish()


def _start_trackio_run(event: events.RunStarted) -> Any:
    """Start a run in the project named like the spec. Raises ImportError that names the extra."""
    try:
        import trackio
    except ImportError as error:
        raise ImportError("the observer `trackio` needs trackio: pip install 'specialist-factory[trackio]'") from error
    config = {**select_non_default_values(event.resolved), "task": event.task, "factory": event.factory}
    return trackio.init(
        project=event.name, name=event.run, config=config, embed=False, auto_log_cpu=False, auto_log_gpu=False
    )
