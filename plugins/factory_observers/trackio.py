"""Every build as a trackio run: what was chosen as its config, losses by step, and at the end verdict and seconds.

It is written to trackio's own folder, `TRACKIO_DIR`; `trackio show` draws it.
"""

from __future__ import annotations

from typing import Any

from factory.api import events, hookimpl
from factory_observers import flatten_stage_name, is_observer_enabled, select_non_default_values

SHIP_VERDICT = "SHIP"


class _TrackioState:
    """The trackio run of the build that this process makes; `seconds` by stage, told at the end."""

    run: Any = None
    seconds: dict[str, float]


@hookimpl
def factory_event(event: events.Event) -> None:
    """Log an event when `FACTORY_OBSERVERS` names trackio. What is raised here is noted, and never stops a build."""
    if isinstance(event, events.RunStarted):
        _TrackioState.run, _TrackioState.seconds = None, {}
        if is_observer_enabled("trackio"):
            _TrackioState.run = _start_trackio_run(event)
    elif _TrackioState.run is not None:
        _log_trackio_event(event)


def _log_trackio_event(event: events.Event) -> None:
    if isinstance(event, events.Measured):
        _TrackioState.run.log(
            {f"{flatten_stage_name(event.stage)}.{name}": value for name, value in event.values.items()},
            step=event.step
        )
    elif isinstance(event, events.StageFinished):
        _TrackioState.seconds[f"seconds.{flatten_stage_name(event.stage)}"] = event.seconds
    elif isinstance(event, events.RunFinished):
        ended = {"shipped": int(event.verdict == SHIP_VERDICT), "exit_code": event.exit_code, "seconds": event.seconds}
        _TrackioState.run.log({**_TrackioState.seconds, **ended, "verdict": event.verdict or "none"})
        _TrackioState.run.finish()


def _start_trackio_run(event: events.RunStarted) -> Any:
    """A new run of the project that is called like the spec. Raises ImportError that names the extra."""
    try:
        import trackio
    except ImportError as error:
        raise ImportError("this needs the extra: pip install 'specialist-factory[trackio]'") from error
    config = {**select_non_default_values(event.resolved), "task": event.task, "factory": event.factory}
    return trackio.init(
        project=event.name, name=event.run, config=config, embed=False, auto_log_cpu=False, auto_log_gpu=False
    )
