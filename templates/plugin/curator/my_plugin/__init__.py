"""What this package brings to the factory."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Its plugin classes."""
    from my_plugin.curator import MyPlugin

    return [MyPlugin]
