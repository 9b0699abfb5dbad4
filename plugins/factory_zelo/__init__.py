"""Targets for rerankers out of pairwise judgements (zELO, arXiv:2509.12541)."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The synthesizer of this package."""
    from factory_zelo.zelo import Zelo

    return [Zelo]
