"""Plugin discovery: loads plugin classes, finds them by kind, and records which failed to load and why."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pluggy
from pydantic import ValidationError

from factory.api import CONTRACT, Contender, Curator, Eval, Objective, Plugin, Source, Synthesizer, Target, Task
from factory.errors import InputError
from factory.events import Event
from factory.registry import hookspecs, local_plugins
from factory.registry.contract import check_contract, translate_contract_error
from factory.registry.local_plugins import ENTRY_POINT_GROUP
from factory.text.suggestions import suggest_known_name

PLUGINS_HOOK, EVENT_HOOK = "factory_plugins", "factory_event"
OWN_DISTRIBUTION = "specialist-factory"
KIND_PATTERN = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
ROLES = {base.role: base for base in (Contender, Curator, Eval, Objective, Source, Synthesizer, Target, Task)}
"""Role → base class of its plugins."""
HEAVY_LIBRARIES = frozenset({
    "accelerate", "bitsandbytes", "datasets", "gradio", "jax", "keras", "matplotlib", "mlflow", "openai", "pandas",
    "peft", "polars", "pyarrow", "scipy", "sentence_transformers", "sklearn", "spacy", "tensorflow", "tokenizers",
    "torch", "torchvision", "trackio", "transformers", "trl", "vllm", "wandb",
})
HEAVY_IMPORT_PATTERN = re.compile(rf"^(?:import|from)[ \t]+(?:{'|'.join(sorted(HEAVY_LIBRARIES))})\b", re.MULTILINE)
MAX_PACKAGE_FILES = 200
"""Number of files of a package that are searched; plugin packages are much smaller."""


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A plugin package, or a class in it, that did not load: its name, its package, the reason and a remedy."""

    name: str
    package: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class PluginPackage:
    """The origin of a class: a distribution with its version, or a project-local folder without one."""

    name: str
    version: str = ""
    digest: str = ""


@dataclass
class Registry:
    """All plugin classes by role and kind. Create one with `load`, or from classes with `from_classes`.

    `failures` lists what did not load; `clashes` maps a (role, kind) that two classes claim to the error message.
    """

    folders: tuple[Path, ...] = ()
    failures: list[LoadFailure] = field(default_factory=list)
    clashes: dict[tuple[str, str], str] = field(default_factory=dict)
    _classes: dict[tuple[str, str], type[Plugin]] = field(default_factory=dict)
    _packages: dict[type[Plugin], PluginPackage] = field(default_factory=dict)
    _deferred: list[Callable[[], None]] = field(default_factory=list)
    _manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager("factory"))

    @classmethod
    def load(cls, folders: Iterable[Path] = ()) -> Registry:
        """Load all installed entry points, then project-local folders. A package that fails to load is recorded in
        `failures` and does not affect the others. Raises InputError for a folder without plugins.
        """
        registry = cls(tuple(folders))
        registry._manager.add_hookspecs(hookspecs)
        for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name):
            dist = point.dist
            package = PluginPackage(dist.name, dist.version) if dist else PluginPackage(point.value)
            load = partial(registry._load_package, point.name, point.load, package)
            if package.name != OWN_DISTRIBUTION and _should_defer_import(point.module):
                registry._deferred.append(load)
            else:
                load()
        for folder in registry.folders:
            for module in local_plugins.find_local_modules(folder):
                package = PluginPackage(str(folder), digest=module.digest)
                registry._load_package(module.name, module.import_module, package)
        return registry

    @classmethod
    def from_classes(cls, classes: Iterable[type[Plugin]]) -> Registry:
        """Return a registry of these classes only."""
        registry = cls()
        registry._manager.add_hookspecs(hookspecs)
        for kind in classes:
            registry.add(kind)
        return registry

    def _load_package(self, name: str, load: Callable[[], Any], package: PluginPackage) -> None:
        """Import a module and register its classes; record a failure for the module, or for single classes."""
        try:
            with redirect_stdout(sys.stderr):  # stdout is reserved for the output of commands
                module = load()
                self._manager.register(module, f"{package.name}:{name}")
                for kind in self._call_plugins_hook(module):
                    self._admit_class(kind, package)
        except (Exception, SystemExit) as error:  # importing third-party code may raise anything
            self._record_load_failure(name, package, translate_contract_error(error))

    def _call_plugins_hook(self, module: object) -> list[Any]:
        """Call a module's hook and return its classes. Raises TypeError if it is not marked, or returns no list."""
        implemented = [caller.name for caller in self._manager.get_hookcallers(module) or ()]
        if hasattr(module, PLUGINS_HOOK) and PLUGINS_HOOK not in implemented:
            raise TypeError(f"{PLUGINS_HOOK} is not marked with @hookimpl")
        # pluggy can only call a hook on all plugins but some: exclude the others to call it on this module alone.
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        classes: list[Any] = []
        for kinds in self._manager.subset_hook_caller(PLUGINS_HOOK, others)():
            if not isinstance(kinds, list | tuple):
                raise TypeError(f"{PLUGINS_HOOK} returned {type(kinds).__name__}, expected a list of classes")
            classes += kinds
        return classes

    def _admit_class(self, kind: Any, package: PluginPackage) -> None:
        """Register one class of a package; a failure does not affect its other classes."""
        try:
            self.add(kind, package)
        except InputError as clash:
            self.clashes[kind.role, kind.kind] = str(clash)
            del self._classes[kind.role, kind.kind]
        except (TypeError, ValueError) as error:
            self._record_load_failure(getattr(kind, "__name__", repr(kind)), package, error)

    def _record_load_failure(self, name: str, package: PluginPackage, error: BaseException) -> None:
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        self.failures.append(LoadFailure(name, package.name, reason, _suggest_load_remedy(error, package)))

    def add(self, kind: type[Plugin], package: PluginPackage | None = None) -> None:
        """Register one class. Raises TypeError or ValueError if it is not a plugin of this contract, and InputError,
        naming both classes, if its role and kind are taken.
        """
        check_plugin_class(kind)
        key, class_path = (kind.role, kind.kind), f"{kind.__module__}.{kind.__qualname__}"
        if key in self.clashes:
            raise InputError(f"{self.clashes[key]}; {class_path} claims it too")
        if (other := self._classes.get(key, kind)) is not kind:
            class_paths = f"{other.__module__}.{other.__qualname__} and {class_path}"
            raise InputError(f"two plugins claim the {kind.role} {kind.kind!r}: {class_paths}; uninstall one")
        module = sys.modules.get(kind.__module__)
        if package and package.digest and local_plugins.is_module_below(module, Path(package.name)):
            kind.local_digest = package.digest
        self._classes[key] = kind
        self._packages[kind] = package or PluginPackage("")

    def find(self, role: str, kind: str) -> type[Plugin]:
        """Return the class of a kind. Raises InputError with the closest known kind and what failed to load."""
        if (role, kind) in self.clashes:
            raise InputError(self.clashes[role, kind])
        if (role, kind) not in self._classes and self._deferred:
            self._load_deferred_packages()
            return self.find(role, kind)
        if (role, kind) not in self._classes:
            raise InputError(self._describe_unknown_kind(role, kind))
        return self._classes[role, kind]

    def _load_deferred_packages(self) -> None:
        """Load the packages with heavy imports, whose import was deferred until a kind is not found otherwise."""
        deferred, self._deferred = self._deferred, []
        for load in deferred:
            load()

    def _describe_unknown_kind(self, role: str, kind: str) -> str:
        known = [k for r, k in self._classes if r == role]
        hint = suggest_known_name(kind, known)
        failed = "".join(f"; {f.package} did not load ({f.reason})" for f in self.failures)
        return f"no such {role}: {kind!r}; {hint}{failed}"

    def make_plugin(self, role: str, block: Mapping[str, Any]) -> Plugin:
        """Create the plugin of a block. Raises InputError if its fields are invalid."""
        fields = {name: value for name, value in block.items() if name != "kind"}
        try:
            return self.find(role, str(block.get("kind", ""))).get_variant(fields)(**fields)
        except ValidationError as error:
            raise InputError(f"{role} {block.get('kind')!r}: {error.errors()[0]['msg']}") from error

    def list_classes(self, role: str | None = None) -> list[type[Plugin]]:
        """Return all classes, or those of one role, sorted by role and kind."""
        self._load_deferred_packages()
        return [self._classes[key] for key in sorted(self._classes) if role in (None, key[0])]

    def get_package(self, kind: type[Plugin]) -> PluginPackage:
        """Return the package of a class; one without a name if it was registered directly."""
        return self._packages.get(kind, PluginPackage(""))

    def notify_observers(self, event: Event) -> list[str]:
        """Pass an event to every observer and return the errors that they raised, as text."""
        errors = []
        for implementation in self._manager.hook.factory_event.get_hookimpls():
            try:
                with redirect_stdout(sys.stderr):
                    implementation.function(event=event)
            except Exception as error:  # an observer never stops a build
                errors.append(f"observer {implementation.plugin_name}: {type(error).__name__}: {error}")
        return errors


def check_plugin_class(kind: Any) -> None:
    """Raise TypeError or ValueError for a class that cannot be registered: not a plugin, bad kind, other contract."""
    if not (isinstance(kind, type) and issubclass(kind, Plugin)):
        raise TypeError(f"{kind!r} is not a plugin class")
    check_contract(kind)
    if kind.role not in ROLES:
        raise ValueError(f"{kind.__name__} has no role; subclass one of {', '.join(sorted(ROLES))}")
    if not KIND_PATTERN.fullmatch(kind.kind):
        allowed = "lower-case letters, digits, dots and hyphens"
        raise ValueError(f"{kind.__name__} has the kind {kind.kind!r}; use {allowed}")


def _suggest_load_remedy(error: BaseException, package: PluginPackage) -> str:
    """Return the remedy for a package that does not load."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install {error.name.partition('.')[0]}, or uninstall {package.name}"
    if isinstance(error, ImportError) or "contract" in str(error):
        return f"install a version of {package.name} for contract {CONTRACT}, or uninstall it"
    return f"report it to the author of {package.name}, or uninstall it"


def _should_defer_import(module: str) -> bool:
    """Return whether any file of a module's package imports a heavy library at module level, without importing it.

    Packages that may observe events are needed from the start and never deferred.
    """
    texts = [path.read_text("utf-8", "replace") for path in _list_package_files(module.partition(".")[0])]
    return any(HEAVY_IMPORT_PATTERN.search(text) for text in texts) and not any(EVENT_HOOK in text for text in texts)


def _list_package_files(package: str) -> list[Path]:
    """Return the Python files of a package or module; empty if it cannot be found or is not Python source."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return []
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py"))[:MAX_PACKAGE_FILES] if spec.submodule_search_locations else [origin]


@cache
def load_installed_registry(folders: tuple[Path, ...] = ()) -> Registry:
    """Return the registry of installed plugins and project-local folders, loaded once per process."""
    return Registry.load(folders)
