"""Curators: filters of training rows, which drop, change or flag them; one curator per module."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the curators of this package."""
    from factory_curators.active_curator import ActiveLearning
    from factory_curators.balance import Balance
    from factory_curators.characters import Characters
    from factory_curators.conflicts import Conflicts
    from factory_curators.empty_rows import EmptyRows
    from factory_curators.exact_duplicates import ExactDuplicates
    from factory_curators.label_noise import LabelNoise
    from factory_curators.language import Language
    from factory_curators.length import LengthFilter
    from factory_curators.near_duplicate_rows import NearDuplicates
    from factory_curators.pii import Pii
    from factory_curators.repetition import Repetition
    from factory_curators.semantic_duplicates import SemanticDuplicates
    from factory_curators.truncated_texts import TruncatedTexts

    return [
        ActiveLearning, Balance, Characters, Conflicts, EmptyRows, ExactDuplicates, LabelNoise, Language, LengthFilter,
        NearDuplicates, Pii, Repetition, SemanticDuplicates, TruncatedTexts,
    ]
