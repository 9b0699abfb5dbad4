"""Digests of stage outputs: taken when an output is committed, checked by whoever reads it, once per process.

`stage.json` keeps the SHA-256 of every file of the output, the content of the outputs that it was made from, and a seal
over all of its own values. An output of an older factory has none of these: it is taken as it is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from factory import identity
from factory.errors import UnavailableError
from factory.store.outputs import DIGESTS, META_FILE, OUTPUT_FOLDER, StageOutput

FILES, INPUTS = "files", "inputs"
_INTACT: dict[str, list[tuple[str, int, int]]] = {}
"""Outputs that this process found whole: folder → what its files looked like then, without reading them."""


def seal_meta(meta: Mapping[str, Any], folder: Path, inputs: Mapping[str, StageOutput]) -> dict[str, Any]:
    """Return metadata with the digests of the output in `folder` and of its inputs, by role."""
    contents = {role: read_content_key(output) for role, output in inputs.items()}
    digests = {FILES: identity.digest_folder_files(folder), INPUTS: contents}
    sealed = {**meta, DIGESTS: digests}
    return {**meta, DIGESTS: {**digests, "seal": identity.compute_key(sealed)}}


def list_damage(output: StageOutput) -> list[str]:
    """List what is wrong with a complete output, a line each with the file; empty if it is as it was committed.

    All files are read, once per process for each output that is whole.
    """
    if not output.output.is_dir():
        return [f"{OUTPUT_FOLDER}: is missing"]
    place, looks = str(output.final_folder), _stat_files(output.final_folder)
    if _INTACT.get(place) == looks:
        return []
    try:
        digests = _load_sealed_meta(output).get(DIGESTS, {}).get(FILES)
    except ValueError as error:
        return [f"{META_FILE}: {error}"]
    problems = [] if digests is None else _compare_files(output.output, digests)
    if not problems:
        _INTACT[place] = looks
    return problems


def list_file_damage(output: StageOutput, name: str) -> list[str]:
    """List what is wrong with one file of an output, such as the only one that a list of runs reads."""
    try:
        digests = _load_sealed_meta(output).get(DIGESTS, {}).get(FILES)
    except ValueError as error:
        return [f"{META_FILE}: {error}"]
    problem = _compare_file(name, output.output / name, digests.get(name)) if digests is not None else ""
    return [problem] if problem else []


def require_intact(output: StageOutput) -> None:
    """Raise UnavailableError, with the file, what is wrong and the remedy, for a damaged output."""
    _refuse_damage(output, list_damage(output))


def require_file_intact(output: StageOutput, name: str) -> None:
    """Raise UnavailableError, as `require_intact` does, if one file of an output is damaged."""
    _refuse_damage(output, list_file_damage(output, name))


def _refuse_damage(output: StageOutput, problems: Collection[str]) -> None:
    if problems:
        text = f"{output.kind}: the stored output is damaged: {describe_damage(problems)} ({output.output})"
        raise UnavailableError(f"{text}; build again: what is damaged is made anew")


def is_intact(output: StageOutput) -> bool:
    """Return whether an output is complete and as it was committed."""
    return output.is_complete and not list_damage(output)


def describe_damage(problems: Collection[str]) -> str:
    """Return the first problem, and how many more there are."""
    first, more = next(iter(problems)), len(problems) - 1
    return first + (f" (and {more} more)" if more else "")


def read_content_key(output: StageOutput) -> str:
    """Return a key of the files of an output as they were committed; empty if it is unknown."""
    try:
        digests = _load_sealed_meta(output).get(DIGESTS, {}).get(FILES)
    except ValueError:
        return ""
    return identity.compute_key(digests) if digests else ""


def list_changed_inputs(output: StageOutput, inputs: Mapping[str, StageOutput]) -> list[str]:
    """List the roles of inputs whose content is not what this output was made from, such as a model trained again.

    Stages give equal bytes for equal keys as far as they can; a damaged output that came out otherwise is found here.
    """
    try:
        made_from = _load_sealed_meta(output).get(DIGESTS, {}).get(INPUTS, {})
    except ValueError:
        return []
    present = {role: read_content_key(source) for role, source in inputs.items() if made_from.get(role)}
    return [role for role, content in present.items() if content and content != made_from[role]]


def _stat_files(folder: Path) -> list[tuple[str, int, int]]:
    """Return path, size and time of change of every file: whoever writes to one changes its time."""
    stats = [(str(path), path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(name, status.st_size, status.st_ctime_ns) for name, status in stats]


def _load_sealed_meta(output: StageOutput) -> dict[str, Any]:
    """Read `stage.json`. Raises ValueError if it is missing, unreadable, another file or not what its seal says."""
    try:
        data = (output.final_folder / META_FILE).read_bytes()
        meta = json.loads(data)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error
    if not isinstance(meta, dict):
        raise ValueError("is not a JSON object")
    if DIGESTS in meta:
        values = meta[DIGESTS] if isinstance(meta[DIGESTS], dict) else {}
        unsealed = {name: value for name, value in values.items() if name != "seal"}
        if values.get("seal") != identity.compute_key({**meta, DIGESTS: unsealed}):
            raise ValueError("was changed")
    elif b'"seal":' in data or "stage" not in meta:  # the very name of the digests was damaged, or it is another file
        raise ValueError("was changed")
    return meta


def _compare_files(folder: Path, digests: Mapping[str, str]) -> list[str]:
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    names = sorted({*digests, *paths})
    return [problem for name in names if (problem := _compare_file(name, paths.get(name), digests.get(name)))]


def _compare_file(name: str, path: Path | None, digest: str | None) -> str:
    """Return what is wrong with a file, or nothing."""
    if path is None or not path.is_file():
        return f"{name}: is missing" if digest else ""
    if digest is None:
        return f"{name}: was added"
    try:
        return "" if identity.digest_file(path) == digest else f"{name}: was changed"
    except OSError as error:
        return f"{name}: can not be read ({error.strerror or error})"
