"""A forgetting probe for any task: general questions, answered by the base and by the tuned model."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the probe of this package."""
    from factory_general.general_probe import GeneralProbe

    return [GeneralProbe]
