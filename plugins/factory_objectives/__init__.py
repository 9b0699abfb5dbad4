"""Training objectives for any task."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the objectives of this package."""
    from factory_objectives.completion import Completion
    from factory_objectives.language_modelling import LanguageModelling

    return [Completion, LanguageModelling]
