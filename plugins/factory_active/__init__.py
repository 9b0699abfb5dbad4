"""Which rows to label: the ones whose labels would teach most."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The curator of this package."""
    from factory_active.active import ActiveLearning

    return [ActiveLearning]
