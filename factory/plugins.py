"""Discover plugins, find one by kind, and remember what failed to load and why."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
from pydantic import ValidationError

from factory import hookspecs
from factory.api import CONTRACT, Plugin
from factory.errors import FactoryError, InputError
from factory.events import Event

GROUP = "factory.plugins"
HOOK = "factory_plugins"


class UnknownKindError(InputError):
    """A spec names a kind that nobody registered."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A plugin package that did not load: its entry point, where it comes from, and why."""

    name: str
    package: str
    reason: str


@dataclass
class Registry:
    """All plugin classes by role and kind. Make one with `load` or, from classes alone, with `of`."""

    failures: list[Failure] = field(default_factory=list)
    _classes: dict[tuple[str, str], type[Plugin]] = field(default_factory=dict)
    _packages: dict[type[Plugin], str] = field(default_factory=dict)
    _manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager("factory"))

    @classmethod
    def load(cls) -> Registry:
        """Load every installed entry point; one that fails is remembered, and the others go on."""
        registry = cls()
        registry._manager.add_hookspecs(hookspecs)
        for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
            registry._load(point)
        return registry

    @classmethod
    def of(cls, classes: Iterable[type[Plugin]]) -> Registry:
        """A registry of these classes alone."""
        registry = cls()
        registry._manager.add_hookspecs(hookspecs)
        for kind in classes:
            registry.add(kind, "")
        return registry

    def _load(self, point: EntryPoint) -> None:
        package = point.dist.name if point.dist else point.value
        try:
            with redirect_stdout(sys.stderr):  # standard output is data
                module = point.load()
            self._manager.register(module, point.name)
            if hasattr(module, HOOK) and HOOK not in _hooks(self._manager, module):
                raise TypeError(f"its {HOOK} is not marked with @hookimpl")
            caller = self._manager.subset_hook_caller(HOOK, self._others(module))
            for kinds in caller():
                for kind in kinds:
                    self.add(kind, package)
        except FactoryError:
            raise
        except (Exception, SystemExit) as error:  # a stranger's import may raise anything
            reason = f"{type(error).__name__}: {error}"
            self.failures.append(Failure(point.name, package, reason.splitlines()[0]))

    def _others(self, module: object) -> list[object]:
        return [plugin for plugin in self._manager.get_plugins() if plugin is not module]

    def add(self, kind: type[Plugin], package: str) -> None:
        """Register one class. Raises InputError when its role and kind are taken, naming both classes."""
        if kind.contract != CONTRACT:
            raise ValueError(f"{kind.__name__} is written for contract {kind.contract}; this factory speaks {CONTRACT}")
        place = (kind.role, kind.kind)
        taken = self._classes.get(place)
        if taken is not None and taken is not kind:
            raise InputError(
                f"two plugins claim the {kind.role} {kind.kind!r}: {_named(taken)} and {_named(kind)}; uninstall one"
            )
        self._classes[place] = kind
        self._packages[kind] = package

    def find(self, role: str, kind: str) -> type[Plugin]:
        """The class of a kind. Raises UnknownKindError with the nearest name, or with what failed to load."""
        found = self._classes.get((role, kind))
        if found is None:
            raise UnknownKindError(self._unknown(role, kind))
        return found

    def _unknown(self, role: str, kind: str) -> str:
        known = [k for r, k in self._classes if r == role]
        near = difflib.get_close_matches(kind, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
        failed = "".join(f"; {f.package} did not load ({f.reason})" for f in self.failures)
        return f"no such {role}: {kind!r}; {hint}{failed}"

    def make(self, role: str, block: Mapping[str, Any]) -> Plugin:
        """The plugin that a block describes. Raises InputError when its fields are wrong."""
        fields = {name: value for name, value in block.items() if name != "kind"}
        try:
            return self.find(role, str(block.get("kind", "")))(**fields)
        except ValidationError as error:
            raise InputError(f"{role} {block.get('kind')!r}: {error.errors()[0]['msg']}") from error

    def classes(self, role: str | None = None) -> list[type[Plugin]]:
        """Every class, or those of one role, by role and kind."""
        return [kind for place, kind in sorted(self._classes.items(), key=lambda i: i[0]) if role in (None, place[0])]

    def package(self, kind: type[Plugin]) -> str:
        """The distribution that brought a class; empty when it was registered by hand."""
        return self._packages.get(kind, "")

    def tell(self, event: Event) -> list[str]:
        """Give an event to every observer; what they raised comes back as text."""
        complaints = []
        for implementation in self._manager.hook.factory_event.get_hookimpls():
            try:
                implementation.function(event=event)
            except Exception as error:  # an observer never stops a build
                complaints.append(f"observer {implementation.plugin_name}: {type(error).__name__}: {error}")
        return complaints


def _hooks(manager: pluggy.PluginManager, module: object) -> list[str]:
    """The names of the hooks that a module really implements."""
    return [caller.name for caller in manager.get_hookcallers(module) or ()]


def _named(kind: type[Plugin]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@cache
def installed() -> Registry:
    """The registry of what is installed, loaded once a process."""
    return Registry.load()
