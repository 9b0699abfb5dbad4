"""The page of a spec's rows: the funnel in a sentence, the distributions, and the samples of dropped rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from factory.runs.profile import DataProfile, Distribution, FunnelStep, Histogram, RowSample, ValueCounts
from factory.runs.profile.funnel import generalise_reason
from factory.views.elements import Column, ShareBar, Table, make_text_row
from factory.views.formatting import format_count, join_names

COUNT_COLUMNS = (Column("", key="value"), Column("", align_right=True, key="rows"), Column("", key="bar"))


def describe_funnel(steps: Sequence[FunnelStep], left: int) -> str:
    """Describe the data funnel in a sentence; `left` is the number of training rows."""
    gathered = sum(step.added for step in steps if step.stage == "gather")
    frozen = sum(step.dropped for step in steps if step.stage == "freeze")
    synthesized = sum(step.added for step in steps if step.stage == "synthesize")
    dropped = sum(step.dropped for step in steps if step.stage in ("curate", "review"))
    added = [f"{synthesized:,} synthesised"] if synthesized else []
    changes = join_names([f"{frozen:,} held out (frozen)", *added, f"{dropped:,} dropped"])
    source_rows, remaining = format_count(gathered, "row"), format_count(left, "training row")
    return f"{source_rows} came from the sources; with {changes}, this leaves {remaining}."


def describe_distribution(distribution: Distribution) -> str:
    """Return the quantiles of a histogram, or the number of values of a count."""
    if isinstance(distribution, Histogram):
        unit = f" {distribution.unit}" if distribution.unit else ""
        return f"median {distribution.median:g}, p95 {distribution.p95:g}, max {distribution.most:g}{unit}"
    hidden, hidden_rows = distribution.others
    rest = f"; {hidden} not shown ({format_count(hidden_rows, 'row')})" if hidden else ""
    return f"{format_count(len(distribution.values) + hidden, 'value')}{rest}"


def build_counts_table(counts: ValueCounts) -> Table:
    """Return a row per value, with its rows and a bar relative to the most frequent value."""
    largest = max([rows for _, rows in counts.values] or [1])
    return Table(COUNT_COLUMNS, tuple(
        make_text_row(name, f"{rows:,}", ShareBar(rows / largest, f"{name}: {rows:,}")) for name, rows in counts.values
    ))


class DroppedSamples(NamedTuple):
    """Samples of rows that one step dropped, by reason."""

    step: str
    reasons: list[tuple[str, list[RowSample]]]


def group_dropped_samples(profile: DataProfile) -> list[DroppedSamples]:
    """Return the samples of dropped rows by step and reason, in the order of the steps."""
    groups = []
    for step, samples in groupby(profile.removal_samples, key=lambda sample: sample.step):
        # `groupby` joins neighbours only; the steps are in order already, their reasons are not.
        ordered = sorted(samples, key=lambda sample: generalise_reason(sample.why))
        reasons = groupby(ordered, key=lambda sample: generalise_reason(sample.why))
        groups.append(DroppedSamples(step, [(why, list(of_reason)) for why, of_reason in reasons]))
    return groups
