"""The rows of a spec as one HTML file: data funnel, distributions, samples, review, leakage and sources."""

from __future__ import annotations

from factory import __version__
from factory.report.rendering import Section, render_page
from factory.runs.profile import DataProfile, ValueCounts
from factory.views.data_page import build_data_view
from factory.views.rows_page import build_counts_table, describe_distribution, describe_funnel, group_dropped_samples

SECTIONS = (
    Section("funnel", "Data funnel", "Data funnel"),
    Section("spread", "Distributions", "Distributions"),
    Section("kept", "Kept rows (sample)", "Kept rows (sample)"),
    Section("dropped", "Dropped rows (sample)", "Dropped rows (sample)"),
    Section("review", "Expert review", "Expert review"),
    Section("leakage", "Leakage", "Leakage"),
    Section("sources", "Sources and licences", "Sources and licences"),
)


def render_rows_page(profile: DataProfile) -> str:
    """Render the whole page; sections whose stages have not run are omitted."""
    distributions = [
        (each, describe_distribution(each), build_counts_table(each) if isinstance(each, ValueCounts) else None)
        for each in profile.distributions
    ]
    return render_page("rows", SECTIONS, {
        "title": f"{profile.run_outputs.run.name}: training rows", "profile": profile, "version": __version__,
        "summary": describe_funnel(profile.funnel, len(profile.rows)), "distributions": distributions,
        "data": build_data_view(profile.run_outputs), "dropped": group_dropped_samples(profile),
    })
