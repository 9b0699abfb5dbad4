"""What makes training rows: one synthesizer a file."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The synthesizers of this package."""
    from factory_synth.corrupt_claims import CorruptClaims
    from factory_synth.hard_negatives import HardNegatives

    return [CorruptClaims, HardNegatives]
