"""Every build as a trackio run: what was chosen as its config, losses by step, and at the end verdict and seconds.

It is written to trackio's own folder, `TRACKIO_DIR`; `trackio show` draws it.
"""

from __future__ import annotations

from typing import Any

from factory.api import events, hookimpl
from factory_observers import chosen, flat, wanted

SHIPPED = "SHIP"


class _Now:
    """The trackio run of the build that this process makes; `seconds` by stage, told at the end."""

    run: Any = None
    seconds: dict[str, float]


@hookimpl
def factory_event(event: events.Event) -> None:
    """Log an event when `FACTORY_OBSERVERS` names trackio. What is raised here is noted, and never stops a build."""
    if isinstance(event, events.RunStarted):
        _Now.run, _Now.seconds = None, {}
        if wanted("trackio"):
            _Now.run = _begun(event)
    elif _Now.run is not None:
        _heard(event)


def _heard(event: events.Event) -> None:
    if isinstance(event, events.Measured):
        _Now.run.log({f"{flat(event.stage)}.{name}": value for name, value in event.values.items()}, step=event.step)
    elif isinstance(event, events.StageFinished):
        _Now.seconds[f"seconds.{flat(event.stage)}"] = event.seconds
    elif isinstance(event, events.RunFinished):
        ended = {"shipped": int(event.verdict == SHIPPED), "exit_code": event.exit_code, "seconds": event.seconds}
        _Now.run.log({**_Now.seconds, **ended, "verdict": event.verdict or "none"})
        _Now.run.finish()


def _begun(event: events.RunStarted) -> Any:
    """A new run of the project that is called like the spec. Raises ImportError that names the extra."""
    try:
        import trackio
    except ImportError as error:
        raise ImportError("this needs the extra: pip install 'specialist-factory[trackio]'") from error
    config = {**chosen(event.resolved), "task": event.task, "factory": event.factory}
    return trackio.init(
        project=event.name, name=event.run, config=config, embed=False, auto_log_cpu=False, auto_log_gpu=False
    )
