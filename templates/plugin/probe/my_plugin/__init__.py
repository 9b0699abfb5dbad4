"""The plugins of this package."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the plugin classes of this package."""
    from my_plugin.probe import MyPlugin

    return [MyPlugin]
