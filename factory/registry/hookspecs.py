"""The two hooks of a plugin package: one returns its plugin classes, one receives events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from factory.api import Plugin

if TYPE_CHECKING:
    from factory.events import Event

hookspec = pluggy.HookspecMarker("factory")


@hookspec
def factory_plugins() -> list[type[Plugin]]:  # type: ignore[empty-body]
    """Return the plugin classes of this package."""


@hookspec
def factory_event(event: Event) -> None:
    """Receive an event after it was journalled. An exception becomes a note and never stops a build."""
