"""Deployment targets of a bundle; one per module."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the targets of this package."""
    from factory_targets.merged_model import MergedModelTarget
    from factory_targets.peft import PeftTarget
    from factory_targets.vllm import VllmTarget

    return [MergedModelTarget, PeftTarget, VllmTarget]
