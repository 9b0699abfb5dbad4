"""Files of sentence-transformers beside an adapter: modules, settings and tokenizer."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def copy_sentence_transformers_files(model: Any, bundle: Path) -> None:
    """Save a model as the library does, without any weights and the config of the base."""
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder, create_model_card=False)
        for file in sorted(Path(folder).rglob("*")):
            name = file.relative_to(folder)
            if file.is_file() and file.suffix != ".safetensors" and str(name) != "config.json":
                (bundle / name).parent.mkdir(parents=True, exist_ok=True)
                (bundle / name).write_bytes(file.read_bytes())
