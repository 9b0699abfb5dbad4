"""All scores of a run's contenders, and the settings that contenders chose on validation rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from factory.runs.run_outputs import RunOutputs
from factory.views.elements import Cell, Column, Table, Text, make_text_row
from factory.views.formatting import format_number, format_record_value
from factory.views.verdict_tables import build_records_table


def build_score_means_table(score: Mapping[str, Any], order: Sequence[str]) -> Table:
    """Return the mean of every metric with half the width of its interval, contenders in this order.

    There are no rows where the contenders have one metric only.
    """
    names = [str(metric["name"]) for metric in score.get("metrics", [])]
    columns = (Column("contender"), *(Column(name, align_right=True) for name in names))
    if len(names) < 2:
        return Table(columns)
    means = {contender: [score["contenders"][contender].get(name) for name in names] for contender in order}
    return Table(columns, tuple(make_text_row(c, *map(_make_mean_cell, values)) for c, values in means.items()))


def _make_mean_cell(value: Mapping[str, float] | None) -> Cell:
    if value is None:
        return Text("–")
    return Text(format_number(value["mean"])), Text(f"±{format_number((value['high'] - value['low']) / 2)}", "dim")


class ContenderSetting(NamedTuple):
    """What a contender chose or spent: a text, or a table where it tried several settings."""

    contender: str
    name: str
    value: str | Table


def list_contender_settings(outputs: RunOutputs) -> list[ContenderSetting]:
    """Return the settings that contenders chose on validation rows, and the cost of answering."""
    contenders = outputs.list_contenders()
    records = {name: outputs.read_stage_json(f"answer[{name}]").get("facts") or {} for name in contenders}
    return [
        ContenderSetting(contender, name.replace("_", " "), _format_setting(value))
        for contender, facts in records.items() for name, value in facts.items()
    ]


def _format_setting(value: Any) -> str | Table:
    is_table = isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value)
    return build_records_table(value) if is_table else format_record_value(value)
