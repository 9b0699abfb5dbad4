"""How many tokens a base has positions for, if that can be read without a network or a download."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from factory.errors import READ_ERRORS
from factory.models.reference import parse_reference
from factory.models.wheel import require_wheel_digest

ABSOLUTE_POSITIONS = frozenset(
    {"bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra", "mpnet", "albert"}
)
"""Architectures with a learned vector for each position: beyond the last one they fail."""
PADDED_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})
"""Of these, those whose positions start after that of the padding: two fewer are usable."""


def find_position_limit(reference: str, root: Path, cache: Path) -> int | None:
    """Return the limit of a local folder, or of a wheel in the cache; None if it is not at hand, or there is none."""
    try:
        parsed = parse_reference(reference, root)
        if parsed.kind == "wheel":
            return _read_wheel_limit(cache / f"{require_wheel_digest(parsed).sha256}.whl")
        return read_position_limit(root / Path(parsed.name).expanduser()) if parsed.kind == "local" else None
    except (*READ_ERRORS, zipfile.BadZipFile):
        return None


def read_position_limit(model: Path) -> int | None:
    """Return the limit of a model folder; None if it is unknown, or the architecture has none."""
    try:
        return _get_limit(json.loads((model / "config.json").read_bytes()))
    except READ_ERRORS:
        return None


def _read_wheel_limit(path: Path) -> int | None:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if PurePosixPath(name).name == "config.json"]
        # Modules of sentence-transformers have a config.json too, in folders below the model's.
        names.sort(key=lambda name: name.count("/"))
        limits = [_get_limit(json.loads(archive.read(name))) for name in names]
    return next((limit for limit in limits if limit), None)


def _get_limit(config: Mapping[str, Any]) -> int | None:
    kind, positions = config.get("model_type"), config.get("max_position_embeddings")
    if kind not in ABSOLUTE_POSITIONS or not isinstance(positions, int):
        return None
    return positions - 2 * (kind in PADDED_POSITIONS)


def describe_length_problem(fields: Mapping[str, Any], limit: int | None) -> str:
    """Return why an objective with these fields can not train on a base with this limit; empty if it can."""
    length = fields.get("max_length")
    if limit is None or not isinstance(length, int) or length <= limit:
        return ""
    return f"{length} is more than the {limit} positions of the base; set it to at most {limit}"
