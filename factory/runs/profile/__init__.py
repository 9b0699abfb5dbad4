"""What the rows of a spec look like, read from the store: for the terminal, for a page, and as data."""

from factory.runs.profile.distributions import Distribution, Histogram, HistogramBin, ValueCounts, compute_distributions
from factory.runs.profile.funnel import FunnelStep, read_funnel
from factory.runs.profile.lineage import RowLineage, trace_lineage
from factory.runs.profile.samples import RowSample
from factory.runs.profile.summary import DataProfile, build_data_profile, find_planned_outputs

__all__ = [
    "DataProfile",
    "Distribution",
    "FunnelStep",
    "Histogram",
    "HistogramBin",
    "RowLineage",
    "RowSample",
    "ValueCounts",
    "build_data_profile",
    "compute_distributions",
    "find_planned_outputs",
    "read_funnel",
    "trace_lineage",
]
