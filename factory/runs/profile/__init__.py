"""Data profile of a spec's rows, read from the store: funnel, distributions, samples, and the lineage of one row."""

from factory.runs.profile.distributions import Distribution, Histogram, HistogramBin, ValueCounts, compute_distributions
from factory.runs.profile.funnel import FunnelStep, read_funnel
from factory.runs.profile.lineage import RowLineage, trace_lineage
from factory.runs.profile.samples import RowSample
from factory.runs.profile.summary import DataProfile, build_data_profile

__all__ = [
    "DataProfile", "Distribution", "FunnelStep", "Histogram", "HistogramBin", "RowLineage", "RowSample", "ValueCounts",
    "build_data_profile", "compute_distributions", "read_funnel", "trace_lineage",
]
