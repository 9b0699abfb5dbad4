"""What drops training rows: one curator a file."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The curators of this package."""
    from factory_curators.balance import Balance
    from factory_curators.exact import Exact
    from factory_curators.near import Near

    return [Balance, Exact, Near]
