"""Where a bundle can run."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The targets of this package."""
    from factory_targets.merged import Merged
    from factory_targets.peft import Peft
    from factory_targets.vllm import Vllm

    return [Merged, Peft, Vllm]
