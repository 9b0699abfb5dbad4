"""Every build as an MLflow run: what was chosen as parameters, losses by step, seconds by stage, the verdict as a tag.

Where they go is MLflow's own setting, `MLFLOW_TRACKING_URI`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from factory.api import events, hookimpl
from factory_observers import flatten_stage_name, is_observer_enabled, select_non_default_values

MAX_PARAMETER_LENGTH = 500
"""Letters of a parameter that are kept; MLflow refuses endless ones."""


@dataclass
class _MlflowRun:
    """The MLflow run of a build in progress."""

    client: Any
    run: str

    def log_build_event(self, event: events.Event) -> None:
        """Log one event."""
        if isinstance(event, events.Measured):
            for name, value in event.values.items():
                self.client.log_metric(self.run, f"{flatten_stage_name(event.stage)}.{name}", value, step=event.step)
        elif isinstance(event, events.StageFinished):
            self.client.log_metric(self.run, f"seconds.{flatten_stage_name(event.stage)}", event.seconds)
        elif isinstance(event, events.StageFailed):
            self.client.set_tag(self.run, "failed", f"{event.stage}: {event.error}"[:MAX_PARAMETER_LENGTH])
        elif isinstance(event, events.RunFinished):
            self.client.set_tag(self.run, "verdict", event.verdict or "none")
            self.client.set_tag(self.run, "bundle", event.bundle)
            self.client.set_terminated(self.run, "FINISHED" if event.verdict else "FAILED")


class _MlflowState:
    """The build that this process makes, once it has begun."""

    build: _MlflowRun | None = None


@hookimpl
def factory_event(event: events.Event) -> None:
    """Log an event when `FACTORY_OBSERVERS` names mlflow. What is raised here is noted, and never stops a build."""
    if isinstance(event, events.RunStarted):
        _MlflowState.build = None
        if is_observer_enabled("mlflow"):
            _MlflowState.build = _start_mlflow_run(event)
    elif _MlflowState.build is not None:
        _MlflowState.build.log_build_event(event)


def _start_mlflow_run(event: events.RunStarted) -> _MlflowRun:
    """A new run of the experiment that is called like the spec. Raises ImportError that names the extra."""
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # a folder is what a build on one machine wants
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise ImportError("this needs the extra: pip install 'specialist-factory[mlflow]'") from error
    client: Any = MlflowClient()
    known = client.get_experiment_by_name(event.name)
    experiment = known.experiment_id if known else client.create_experiment(event.name)
    tags = {"factory": event.factory, "task": event.task, "spec": event.spec}
    run = client.create_run(experiment, run_name=event.run, tags=tags).info.run_id
    for name, value in select_non_default_values(event.resolved).items():
        client.log_param(run, name.replace("[", ".").replace("]", ""), str(value)[:MAX_PARAMETER_LENGTH])
    return _MlflowRun(client, run)
