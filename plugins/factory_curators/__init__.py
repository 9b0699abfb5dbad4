"""What drops, changes or doubts training rows: one curator a file."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The curators of this package."""
    from factory_curators.balance import Balance
    from factory_curators.characters import Characters
    from factory_curators.conflicts import Conflicts
    from factory_curators.empty import Empty
    from factory_curators.exact import Exact
    from factory_curators.label_noise import LabelNoise
    from factory_curators.language import Language
    from factory_curators.length import Length
    from factory_curators.near import Near
    from factory_curators.pii import Pii
    from factory_curators.repetition import Repetition
    from factory_curators.semantic import Semantic
    from factory_curators.truncated import Truncated

    return [
        Balance, Characters, Conflicts, Empty, Exact, LabelNoise, Language, Length, Near, Pii, Repetition, Semantic,
        Truncated,
    ]
