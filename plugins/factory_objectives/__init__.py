"""What any task may learn by."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The objectives of this package."""
    from factory_objectives.completion import Completion

    return [Completion]
