"""A plugin module that reaches behind the contract."""

from bad_kinds import Good

from factory.stages.job import StageJob  # noqa: F401


class Insider(Good):
    """Keeps every row that has a text."""

    kind = "insider"
