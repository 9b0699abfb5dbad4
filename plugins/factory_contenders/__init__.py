"""Contenders for any task: the fine-tuned model, its base, the version that is served, and prompted models."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the contenders of this package."""
    from factory_contenders.incumbent import Incumbent
    from factory_contenders.nearest import Nearest
    from factory_contenders.prompted import Frontier, Prompted
    from factory_contenders.tuned import Tuned, Untuned

    return [Frontier, Incumbent, Nearest, Prompted, Tuned, Untuned]
