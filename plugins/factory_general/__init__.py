"""What a specialist may not forget: questions that have nothing to do with its task."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The probe of this package."""
    from factory_general.general_probe import GeneralProbe

    return [GeneralProbe]
