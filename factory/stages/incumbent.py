"""The model of a contender that is a version of a specialist, and the test rows that it has seen in its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from factory.api import TEST, TRAIN, VALIDATION, AnswerJob, Row, Task, get_row_group
from factory.api.training_args import BackendChoice
from factory.bundle import load_manifest, open_bundle_artifact
from factory.data.leakage import GROUP, LeakageCriteria, count_remaining_leaks, find_leaks
from factory.data.rows import open_rows, read_json, write_json
from factory.errors import InputError
from factory.spec.fields import Leakage
from factory.spec.incumbents import IncumbentVersion
from factory.stages.delivery import load_responder
from factory.stages.job import StageJob, load_toolbox, read_resolved_base
from factory.store.chosen_settings import SETTINGS, resolve_config
from factory.store.integrity import require_intact
from factory.store.outputs import Store

INCUMBENT_FILE = "incumbent.json"


def build_incumbent_job(job: StageJob, rows: Sequence[Row]) -> AnswerJob:
    """Return a job in which a version answers as it does when it is served: by its own task, objective and base.

    Raises InputError if its bundle or a model was deleted, or if the rows lack what its task needs.
    """
    version, store = IncumbentVersion(**job.config["incumbent"]), Store(job.home)
    bundle, folders = store.locate_output("bundle", version.bundle), _locate_models(store, version)
    if not bundle.is_complete:
        raise _build_missing_error(version, "bundle")
    for needed in (version.base_stage, *({SETTINGS} & {*version.outputs})):
        if needed not in folders:
            raise _build_missing_error(version, needed)
    require_intact(bundle)
    task = cast(Task, job.make_plugin("task", version.task))
    fields, base = job.build_job_fields(), read_resolved_base(folders[version.base_stage])
    _check_columns(version, task, rows, fields["tables"])
    chosen = resolve_config({"objective": version.objective, "deployable": version.deployable}, folders)
    fields |= {
        "root": Path(version.root),
        "kit_loader": partial(load_toolbox, cast(BackendChoice, version.backend)),
        "models": {
            name.removeprefix("base[").removesuffix("]"): read_resolved_base(folder)
            for name, folder in folders.items() if name.startswith("base[")
        },
    }
    return AnswerJob(
        **fields, rows=rows, train=(), validation=(), base=base, task=task,
        objective=load_responder(job.registry, chosen, version.contender, task),
        artifact=open_bundle_artifact(bundle.output, base),
    )


def write_incumbent_facts(job: StageJob, rows: Sequence[Row]) -> None:
    """Write `incumbent.json`: which version answered, and which of the test rows it has seen in its training.

    `seen` maps row id → how: by group, or by an exact or near copy. It is null if that can not be known, as its own
    rows are no longer stored. A version with the same test rows has seen none: its own build has proved that.
    """
    version = IncumbentVersion(**job.config["incumbent"])
    manifest = load_manifest(Store(job.home).locate_output("bundle", version.bundle).output)
    own = manifest["digests"]["data"].get(TEST)
    is_same = own == read_json(job.inputs["freeze"] / "freeze.json")["digests"][TEST]
    is_same = is_same and not count_remaining_leaks(manifest.get("leakage", {}))
    trained = None if is_same else _read_training_rows(Store(job.home), version)
    seen: dict[str, str] | None = {} if is_same else None
    if trained is not None:
        leakage = Leakage.model_validate(job.config["leakage"])
        columns = tuple(leakage.columns) or (job.config["text"],)
        seen = find_seen_rows(rows, trained, LeakageCriteria(columns, leakage.jaccard))
    write_json(job.out / INCUMBENT_FILE, {
        "specialist": version.specialist, "version": version.number, "rows": len(rows), "same_test": is_same,
        "seen": seen,
    })


def find_seen_rows(rows: Sequence[Row], trained: Sequence[Row], criteria: LeakageCriteria) -> dict[str, str]:
    """Return row id → how a model trained on `trained` has seen it: as an exact or near copy, else by its group.

    This is the search for leakage into training rows with the sides exchanged, so that each test row counts once.
    """
    # Without groups, since a row is told by its own text where that was seen.
    texts, known = ([replace(row, group="") for row in side] for side in (rows, trained))
    seen = {leak.row: leak.match_type for leak in find_leaks(texts, known, criteria)}
    groups = {get_row_group(row, criteria.text_columns[0]) for row in trained}
    parents = {parent for row in trained for parent in row.provenance.parents}
    shared = {row.id: GROUP for row in rows if row.group in groups or row.id in parents}
    return {row.id: found for row in rows if (found := seen.get(row.id) or shared.get(row.id))}


def _read_training_rows(store: Store, version: IncumbentVersion) -> list[Row] | None:
    """Return the training and validation rows of a version; None if they are not all in the store."""
    rows: list[Row] = []
    for stage, key in version.rows.items():
        output = store.locate_output(stage, key)
        if not output.is_complete:
            return None
        require_intact(output)
        rows += open_rows(output.output / f"{VALIDATION if stage == 'freeze' else TRAIN}.jsonl")
    return rows if len(version.rows) > 1 else None


def _locate_models(store: Store, version: IncumbentVersion) -> dict[str, Path]:
    """Return stage → output folder of the models and settings that are in the store."""
    outputs = {name: store.locate_output(name, key) for name, key in version.outputs.items()}
    stored = {name: output for name, output in outputs.items() if output.is_complete}
    for output in stored.values():
        require_intact(output)
    return {name: output.output for name, output in stored.items()}


def _build_missing_error(version: IncumbentVersion, what: str) -> InputError:
    text = f"contenders: the {what} of {version.label} was deleted from the store"
    return InputError(f"{text}; build that version again, or name another version, or remove this contender")


def _check_columns(
    version: IncumbentVersion, task: Task, rows: Sequence[Row], tables: Mapping[str, Any]
) -> None:
    """Raise InputError if the rows or side tables lack what the version's task reads."""
    columns = set(rows[0].columns) if rows else set()
    lacking = sorted({*task.columns, *task.added_columns} - columns)
    lacking += [f"table {name}" for name in task.tables if name not in tables]
    if rows and lacking:
        text = f"contenders: {version.label} needs {', '.join(lacking)}, which the test rows do not have"
        raise InputError(f"{text}; name another version, or remove this contender")
