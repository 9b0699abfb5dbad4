"""Where a bundle can run."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The targets of this package."""
    from factory_targets.merged_model import MergedModelTarget
    from factory_targets.peft import PeftTarget
    from factory_targets.vllm import VllmTarget

    return [MergedModelTarget, PeftTarget, VllmTarget]
