"""A cheap look at what a spec names, for `factory check`: the first rows, the extras, and the limits of the base."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from factory.api import TEST, TRAIN, Input, Job, NoOpReporter, Plugin, Row, Source
from factory.api.artifact import QLORA_EXTRA, QUANTISER
from factory.api.spec_block import has_marker
from factory.data.split import SPLIT_ALIASES
from factory.errors import InputError, Problem
from factory.models.model_folder import list_model_files
from factory.models.position_limit import describe_length_problem, find_position_limit
from factory.models.reference import parse_reference
from factory.models.resolver import compute_base_identity, locate_local_base
from factory.spec.blocks import expand_bare_kinds
from factory.spec.layers import ResolvedSpec
from factory.spec.validation import build_problem_at
from factory.yaml import NodePath, read_spec_file

MAX_EMPTY_SHARE = 0.2
"""Share of rows with an empty required column from which the file is wrong, not a row."""
Finding = tuple[NodePath, str]


@dataclass(frozen=True, slots=True)
class SourceSample:
    """The first rows of a source. `is_complete`: these are all. `problem` is why it can not be read, or empty."""

    rows: Sequence[Row]
    is_complete: bool
    problem: str = ""


def inspect_spec(resolved: ResolvedSpec, cache: Path) -> list[Problem]:
    """Return the problems that a cheap look shows, by line. `cache` keeps wheels; nothing is fetched, and no torch
    loaded."""
    findings = [
        *_find_missing_modules(resolved), *_find_missing_quantiser(resolved), *_find_base_problems(resolved),
        *_find_data_problems(resolved),
    ]
    findings += _find_length_problem(resolved, cache)
    if not findings:
        return []
    tree = expand_bare_kinds(read_spec_file(resolved.file))
    return [build_problem_at(str(resolved.file), tree, steps, text) for steps, text in findings]


def _list_plugins(resolved: ResolvedSpec) -> Iterator[tuple[NodePath, Plugin]]:
    yield ("objective",), resolved.objective
    groups: dict[tuple[str, ...], Sequence[Plugin]] = {
        ("data", "sources"): resolved.sources, ("data", "synthesize"): resolved.synthesizers,
        ("data", "curate"): resolved.curators, ("contenders",): resolved.contenders, ("evaluate",): resolved.evals,
        ("targets",): resolved.targets,
    }
    for steps, plugins in groups.items():
        for number, plugin in enumerate(plugins):
            yield (*steps, number), plugin


def _find_missing_modules(resolved: ResolvedSpec) -> Iterator[Finding]:
    """Yield a problem for each plugin whose extra is not installed."""
    for steps, plugin in _list_plugins(resolved):
        for module, package in plugin.list_required_modules().items():
            if not _is_installed(module):
                text = f"{plugin.kind!r} needs the Python module {module}, which is not installed"
                yield steps, f"{text}: pip install '{package}'"


def _find_missing_quantiser(resolved: ResolvedSpec) -> Iterator[Finding]:
    """Yield a problem if 4-bit weights are to be trained, and the package for them is not installed."""
    if resolved.spec.adapter.kind == "qlora" and not _is_installed(QUANTISER):
        yield ("adapter", "kind"), f"qlora needs {QUANTISER}, which is not installed: pip install '{QLORA_EXTRA}'"


def _is_installed(module: str) -> bool:
    with suppress(ImportError, ValueError):
        return importlib.util.find_spec(module) is not None
    return False


def _find_base_problems(resolved: ResolvedSpec) -> Iterator[Finding]:
    """Yield why a model folder or an unpinned wheel can not be a base, as `plan` says it too."""
    for alias in type(resolved.spec.models).model_fields:
        model = getattr(resolved.spec.models, alias)
        if not isinstance(model, str) or not model:
            continue
        try:
            reference = parse_reference(model, resolved.root)
            if reference.kind != "local":
                compute_base_identity(model, resolved.root)
            elif (path := locate_local_base(reference, resolved.root)).is_dir():
                list_model_files(path)  # their digests, which `plan` needs, take a while
        except InputError as error:
            yield ("models", alias), str(error)


def _find_data_problems(resolved: ResolvedSpec) -> Iterator[Finding]:
    """Yield what is wrong with the sources as they are read, with the rows, and with their number."""
    samples = [_read_sample(resolved, source) for source in resolved.sources]
    for number, (source, sample) in enumerate(zip(resolved.sources, samples, strict=True)):
        if sample.problem:
            yield _locate_input(("data", "sources", number), source, sample.problem), sample.problem
        else:
            yield from ((("data", "sources", number), text) for text in _find_empty_columns(resolved, sample.rows))
    if not any(sample.problem for sample in samples) and all(sample.is_complete for sample in samples):
        rows = [row for sample in samples for row in sample.rows if not row.table]
        yield from _find_size_problem(resolved, rows)


def _read_sample(resolved: ResolvedSpec, source: Source) -> SourceSample:
    """Read the first rows of a source as the stage `gather` does."""
    is_missing = any(not _is_installed(module) for module in source.list_required_modules())
    if not source.inspected_rows or source.list_hosts() or source.get_required_models() or is_missing:
        return SourceSample((), False)
    job = Job(resolved.spec.data.split.seed, NoOpReporter(), resolved.root)
    if resolved.spec.data.on_error == "skip":
        job = Job(job.seed, job.report, job.root, bad_record_handler=lambda text: None)
    if "limit" in type(source).model_fields:  # to sample, a source reads its file to the end
        source = source.model_copy(update={"limit": 0})
    try:
        rows = list(islice(source.iter_rows(job), source.inspected_rows + 1))
    except OSError as error:
        return SourceSample((), True, f"{error.filename or 'its file'}: {error.strerror or error}")
    except Exception as error:  # of a plugin: `build` names its kind, and here nothing may end in a traceback
        text = next(iter(str(error).splitlines()), "")
        return SourceSample((), True, text or type(error).__name__)
    return SourceSample(rows, len(rows) <= source.inspected_rows)


def _locate_input(steps: NodePath, source: Source, problem: str) -> NodePath:
    """Return the path of the input file that a problem names, else that of the block."""
    for name in type(source).model_fields:
        value: Any = getattr(source, name, None)
        if has_marker(type(source), name, Input) and value and str(value) in problem:
            return (*steps, name)
    return steps


def _find_empty_columns(resolved: ResolvedSpec, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the required columns of which many rows have an empty text."""
    given = [row for row in rows if not row.table]
    for column in resolved.task.columns:
        values = [row.columns[column] for row in given if column in row.columns]
        empty = sum(isinstance(value, str) and not value.strip() for value in values)
        if values and empty > MAX_EMPTY_SHARE * len(values):
            yield f"{column}: empty in {empty} of the {len(values)} rows read; fill it, or remove these rows"


def _find_size_problem(resolved: ResolvedSpec, rows: Sequence[Row]) -> Iterator[Finding]:
    """Yield whether the split asks for as many rows as there are, or more."""
    split = resolved.spec.data.split
    own = {SPLIT_ALIASES.get(row.split.strip().lower(), TRAIN) for row in rows if row.split}
    count = len([row for row in rows if not row.split or SPLIT_ALIASES.get(row.split.strip().lower()) == TRAIN])
    limits = [int(getattr(source, "limit", 0)) for source in resolved.sources]
    count = min(count, sum(limits)) if all(limits) else count
    if TEST in own or not isinstance(split.test, int) or any(source.weight for source in resolved.sources):
        return
    validation = split.validation if isinstance(split.validation, int) else 0
    if rows and split.test + validation >= count:
        asked = f"{split.test} test and {validation} validation rows are asked for"
        text = f"{asked}, and the sources have {count} rows: none is left to train on; ask for fewer, or for auto"
        yield ("data", "split", "test"), text


def _find_length_problem(resolved: ResolvedSpec, cache: Path) -> Iterator[Finding]:
    limit = find_position_limit(resolved.spec.models.student, resolved.root, cache)
    if problem := describe_length_problem(resolved.objective.to_block(), limit):
        yield ("objective", "max_length"), problem
