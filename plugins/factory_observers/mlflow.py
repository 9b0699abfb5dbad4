"""Logs every build as an MLflow run: the spec as parameters, losses by step, seconds by stage, the verdict as a tag.

Runs go to the server or folder of MLflow's own setting, `MLFLOW_TRACKING_URI`.
"""

from __future__ import annotations

import os
from typing import Any

from factory.api import events, hookimpl
from factory_observers import flatten_name, is_observer_enabled, select_non_default_values

MAX_PARAMETER_LENGTH = 500
"""Characters of a parameter that are kept; MLflow refuses very long ones."""


class _MlflowState:
    """The MLflow client and run of the build in this process; `client` is None if nothing is logged."""

    client: Any = None
    run: str = ""


@hookimpl
def factory_event(event: events.Event) -> None:
    """Log an event if `FACTORY_OBSERVERS` names mlflow. An exception from here is noted and never stops a build."""
    if isinstance(event, events.RunStarted):
        _MlflowState.client = None
        if is_observer_enabled("mlflow"):
            _MlflowState.client, _MlflowState.run = _start_mlflow_run(event)
    elif _MlflowState.client is not None:
        _log_mlflow_event(event, _MlflowState.client, _MlflowState.run)


def _log_mlflow_event(event: events.Event, client: Any, run: str) -> None:
    if isinstance(event, events.Measured):
        for name, value in event.values.items():
            client.log_metric(run, f"{flatten_name(event.stage)}.{name}", value, step=event.step)
    elif isinstance(event, events.StageFinished):
        client.log_metric(run, f"seconds.{flatten_name(event.stage)}", event.seconds)
    elif isinstance(event, events.StageFailed):
        client.set_tag(run, "failed", f"{event.stage}: {event.error}"[:MAX_PARAMETER_LENGTH])
    elif isinstance(event, events.RunFinished):
        client.set_tag(run, "verdict", event.verdict or "none")
        client.set_tag(run, "bundle", event.bundle)
        client.set_terminated(run, "FINISHED" if event.verdict else "FAILED")


def _start_mlflow_run(event: events.RunStarted) -> tuple[Any, str]:
    """Start a run in the experiment named like the spec; return the client and the run's id.

    Raises ImportError that names the extra.
    """
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # by default, MLflow 3 refuses to log to a local folder
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise ImportError("the observer `mlflow` needs mlflow: pip install 'specialist-factory[mlflow]'") from error
    client: Any = MlflowClient()
    existing = client.get_experiment_by_name(event.name)
    experiment = existing.experiment_id if existing else client.create_experiment(event.name)
    tags = {"factory": event.factory, "task": event.task, "spec": event.spec}
    run: str = client.create_run(experiment, run_name=event.run, tags=tags).info.run_id
    for name, value in select_non_default_values(event.resolved).items():
        client.log_param(run, flatten_name(name), str(value)[:MAX_PARAMETER_LENGTH])
    return client, run
