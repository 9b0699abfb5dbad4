"""A task small enough to build in a second without torch: does a text belong to a label, learned by counting words."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The toy task and all it needs."""
    from toy_factory.learn import Counting
    from toy_factory.rest import Accuracy, Commonest, Labelled, Toy

    return [Accuracy, Counting, Labelled, Commonest, Toy]
