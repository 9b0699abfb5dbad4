"""What the rows of a spec look like, read from the store: for the terminal, for a page, and as data."""

from factory.portrait.history import RowLineage, trace_lineage
from factory.portrait.samples import RowSample
from factory.portrait.spread import HistogramBin, ValueCounts, Histogram, Distribution, compute_distributions
from factory.portrait.steps import FunnelStep, read_funnel
from factory.portrait.whole import DataProfile, find_planned_outputs, build_data_profile

__all__ = [
    "HistogramBin", "ValueCounts", "Histogram", "RowLineage", "DataProfile", "RowSample", "Distribution", "FunnelStep", "trace_lineage", "find_planned_outputs", "build_data_profile",
    "compute_distributions", "read_funnel",
]
