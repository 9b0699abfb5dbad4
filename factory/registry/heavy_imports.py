"""Detection of plugin packages that import heavy libraries at module level, so that loading them can be deferred."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

HEAVY_LIBRARIES = frozenset({
    "accelerate", "bitsandbytes", "datasets", "gradio", "jax", "keras", "matplotlib", "mlflow", "openai", "pandas",
    "peft", "polars", "pyarrow", "scipy", "sentence_transformers", "sklearn", "spacy", "tensorflow", "tokenizers",
    "torch", "torchvision", "trackio", "transformers", "trl", "vllm", "wandb",
})
HEAVY_IMPORT_PATTERN = re.compile(rf"^(?:import|from)[ \t]+(?:{'|'.join(sorted(HEAVY_LIBRARIES))})\b", re.MULTILINE)
OBSERVER_HOOK = "factory_event"
MAX_PACKAGE_FILES = 200
"""Number of files of a package that are searched; plugin packages are much smaller."""


def should_defer_import(module: str) -> bool:
    """Return whether any file of a module's package imports a heavy library at module level, without importing it.

    Packages that may observe events are needed from the start and never deferred.
    """
    texts = [path.read_text("utf-8", "replace") for path in _list_package_files(module.partition(".")[0])]
    return any(HEAVY_IMPORT_PATTERN.search(text) for text in texts) and not any(OBSERVER_HOOK in text for text in texts)


def _list_package_files(package: str) -> list[Path]:
    """Return the Python files of a package or module; empty if it can not be found or is not Python source."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return []
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py"))[:MAX_PACKAGE_FILES] if spec.submodule_search_locations else [origin]
