"""Reading with a source alone, and with the whole stage that gathers."""

import json
from pathlib import Path
from typing import Any

from tiny_parts import Voice

from factory.api import Job, Row, Source
from factory.data.rows import open_rows, read_json
from factory.registry.registry import load_installed_registry
from factory.stages import gather
from factory.stages.job import StageJob

ODD = "مرحبا 👋🏽 “quoted”; naïve"
"""Text that careless reading would harm."""


def read(source: Source, folder: Path, voice: Voice | None = None) -> list[Row]:
    return list(source.iter_rows(Job(7, voice or Voice(), folder)))


def gathered(
    folder: Path, *blocks: dict[str, Any], on_error: str = "stop", seed: int = 7
) -> tuple[list[Row], Any, Voice]:
    """The rows, gather.json, and what was said."""
    out, voice, registry = folder / "out", Voice(), load_installed_registry()
    out.mkdir(exist_ok=True)
    sources = [registry.make_plugin("source", block).to_block() for block in blocks]
    config = {"sources": sources, "seed": seed, "on_error": on_error}
    gather.run(StageJob("gather", config, {}, out, folder, folder, folder, voice, registry))
    return list(open_rows(out / "rows.jsonl")), read_json(out / "gather.json"), voice


def lines(path: Path, *records: Any) -> dict[str, Any]:
    """Write a file of JSON lines; its block of a spec."""
    said = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(said) + "\n")
    return {"kind": "jsonl", "file": path.name, "columns": ["text"]}
