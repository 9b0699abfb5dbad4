"""The job of a stage: its config, input folders, output folder and reporter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from factory.api import (
    Artifact,
    Base,
    Endpoint,
    Eval,
    Kit,
    Metric,
    Objective,
    Plugin,
    Reporter,
    Row,
    Tables,
    Task,
    Teacher,
)
from factory.api.training_args import BackendChoice
from factory.data.rows import open_rows, read_json, read_side_tables
from factory.llm import TeacherPool
from factory.registry.registry import Registry
from factory.stages.plugin_boundary import guard_plugin_call as guard_plugin_call
from factory.stages.plugin_boundary import iterate_checked_values as iterate_checked_values

ARTIFACT_FOLDER = "artifact"
"""Folder in the output of training that holds the files of the artifact."""


@dataclass(frozen=True, slots=True)
class StageJob:
    """One execution of a stage. `out` is empty; `work` survives a kill, for stages that can resume."""

    stage: str
    config: Mapping[str, Any]
    inputs: Mapping[str, Path]
    out: Path
    work: Path
    root: Path
    home: Path
    report: Reporter
    registry: Registry
    client_pool: TeacherPool | None = None

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    def make_plugin(self, role: str, block: Mapping[str, Any]) -> Plugin:
        """Create the plugin of a config block."""
        return self.registry.make_plugin(role, block)

    def load_task(self) -> Task:
        return cast(Task, self.make_plugin("task", self.config["task"]))

    def load_objective(self) -> Objective:
        return cast(Objective, self.make_plugin("objective", self.config["objective"]))

    def open_input_rows(self, role: str, file: str) -> Sequence[Row]:
        """Open the rows of an input file; those of a large file are read lazily."""
        return open_rows(self.inputs[role] / file)

    def read_side_tables(self) -> Tables:
        """Read the side tables of the sources: table name → row id → row."""
        return read_side_tables(self.inputs["gather"]) if "gather" in self.inputs else {}

    def load_deciding_metric(self) -> tuple[Eval, Metric]:
        """Return the eval that judges contenders, and its metric that decides."""
        judge = cast(Eval, self.make_plugin("eval", self.config["judge"]))
        name = self.config["metric"] or judge.primary_metric
        return judge, next(metric for metric in judge.metrics if metric.name == name)

    def build_job_fields(self) -> dict[str, Any]:
        """Return the fields that the jobs of all plugins share."""
        return {
            "seed": self.seed, "report": self.report, "root": self.root, "tables": self.read_side_tables(),
            "kit_loader": self.load_kit, "models": self.load_further_models(), "teacher_factory": self.open_teacher,
        }

    def load_kit(self) -> Kit:
        """Return the kit for models, with the backend that the spec chooses; the first call imports torch."""
        words = self.config.get("adapter", {}).get("trainable_tokens", ())
        return load_toolbox(self.config.get("train", self.config).get("backend", "auto"), tuple(words))

    def load_base(self) -> Base:
        return read_resolved_base(self.inputs["base"])

    def load_artifact(self, role: str = "train") -> Artifact:
        """Return what training made of the base, or the step before it (the role `start`)."""
        trained = self.inputs[role]
        return Artifact(read_json(trained / "train.json")["artifact"], trained / ARTIFACT_FOLDER, self.load_base())

    def load_further_models(self) -> dict[str, Base]:
        """Return the other models of this stage, by alias."""
        return {
            role.removeprefix("base[").removesuffix("]"): read_resolved_base(folder)
            for role, folder in self.inputs.items() if role.startswith("base[")
        }

    def open_teacher(self, model: str | Endpoint) -> Teacher:
        """Return the teacher for an alias of the spec or an endpoint. Raises ValueError for an undeclared alias."""
        if self.client_pool is None:
            raise RuntimeError("this stage has no teacher pool")
        if isinstance(model, Endpoint):
            return self.client_pool.get_teacher(model)
        if model in self.config.get("endpoints", {}):
            return self.client_pool.get_teacher(Endpoint.model_validate(self.config["endpoints"][model]))
        # Only declared models are inputs of the stage, and so part of its key.
        base = self.load_further_models().get(model)
        if base is None:
            raise ValueError(f"asks {model!r}, which get_required_models() does not list")
        return self.client_pool.get_teacher(base)


def read_resolved_base(folder: Path) -> Base:
    """Return the model in the output of a `base` stage."""
    facts = read_json(folder / "base.json")
    return Base(folder / "model", facts["id"], facts["revision"], facts["digest"], facts["licence"])


def load_toolbox(backend: BackendChoice = "auto", words: tuple[str, ...] = ()) -> Kit:
    """Return the kit for models; the first call imports torch."""
    from factory.ml.kit import load_kit

    return load_kit(backend, words)
