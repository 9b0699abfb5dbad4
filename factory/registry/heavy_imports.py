"""Libraries that no command should wait for only because a plugin is installed, and who imports them at once."""

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
"""Files of a package that are looked at; a larger one is no plugin of eighty lines."""


def should_defer_import(module: str) -> bool:
    """Whether the package of a module imports a heavy library at module level, in any file; read, not run.

    One that may observe events has to be there from the start, and is never deferred.
    """
    texts = [path.read_text("utf-8", "replace") for path in _list_package_files(module.partition(".")[0])]
    return any(HEAVY_IMPORT_PATTERN.search(text) for text in texts) and not any(OBSERVER_HOOK in text for text in texts)


def _list_package_files(package: str) -> list[Path]:
    try:
        found = find_spec(package)
    except (ImportError, ValueError):
        return []
    if found is None or not found.origin or not found.origin.endswith(".py"):
        return []
    origin = Path(found.origin)
    return sorted(origin.parent.rglob("*.py"))[:MAX_PACKAGE_FILES] if found.submodule_search_locations else [origin]
