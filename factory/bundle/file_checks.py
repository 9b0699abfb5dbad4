"""Checks of a bundle's files by what they are: text, or tensors with a sane header; no code, no pickle, no link.

Digests say that a bundle is as it was sealed, but whoever changes one can seal it again.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

TEXT_SUFFIXES = frozenset({".json", ".jsonl", ".md", ".txt", ".jinja", ".csv", ".tsv", ".yaml"})
TEXT_NAMES = frozenset({"LICENSE", "NOTICE"})
TENSOR_SUFFIX, TOKENIZER_SUFFIX, SCRIPT_SUFFIX = ".safetensors", ".model", ".sh"
EXPORTS_FOLDER = "exports"
"""The folder of serving targets: the only one that may hold shell scripts, which they write."""
CODE_STARTS = (b"#!", b"\x7fELF", b"PK", b"\x80")
"""First bytes of scripts, programs, archives and pickles."""
MAX_HEADER_BYTES, MAX_DIMENSIONS, MAX_TEXT_BYTES = 100_000_000, 8, 1 << 29
DTYPE_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}
EXPONENT_MASKS = {"F64": 0x7FF0_0000_0000_0000, "F32": 0x7F80_0000, "F16": 0x7C00, "BF16": 0x7F80, "F8_E5M2": 0x7C}
"""Exponent bits, all of which are set in numbers that are not finite."""
CHUNK_BYTES = 1 << 24


class TensorFileError(ValueError):
    """A tensor file that is not what the format allows; the message is one line."""


def list_unsafe_names(names: Iterable[str]) -> list[str]:
    """Return a line for each name of a manifest that leads out of the bundle, or is not a plain relative path."""
    return [
        f"{name!r}: is not a path below the bundle" for name in names
        if not name or "\\" in name or not name.isprintable() or name.startswith("/")
        or any(part in ("", ".", "..") for part in name.split("/"))
    ]


def describe_irregular_file(path: Path) -> str:
    """Return what a path is if not a regular file, else an empty text."""
    mode = path.lstat().st_mode
    return "is a link" if stat.S_ISLNK(mode) else "" if stat.S_ISREG(mode) else "is not a regular file"


def describe_file_problem(path: Path, name: str) -> str:
    """Return what forbids a regular file in a bundle, in a few words; an empty text if nothing does."""
    suffix, folder = PurePosixPath(name).suffix, PurePosixPath(name).parts[0]
    if suffix == TENSOR_SUFFIX:
        return _describe_tensor_problem(path)
    if suffix == TOKENIZER_SUFFIX:
        return "looks like code or a pickle" if _has_code_start(path) else ""
    is_script = suffix == SCRIPT_SUFFIX and folder == EXPORTS_FOLDER
    if not is_script and suffix not in TEXT_SUFFIXES and PurePosixPath(name).name not in TEXT_NAMES:
        return "is of a kind that no bundle has"
    return _describe_text_problem(path, suffix, is_script)


def find_shape_problems(shapes: Mapping[str, tuple[int, ...]], ranks: Iterable[int]) -> Iterator[str]:
    """Yield what is wrong with the shapes of an adapter's tensors (name → shape): `ranks` are those of its config.

    Both factors of a layer share its rank, and a tensor is shaped like all others of its name in other layers.
    """
    allowed = set(ranks)
    for name, shape in shapes.items():
        if ".lora_A." not in name:
            continue
        other = shapes.get(name.replace(".lora_A.", ".lora_B."))
        if other is None or len(shape) < 2 or len(other) < 2 or shape[0] != other[1] or shape[0] not in allowed:
            yield f"{name}: its shape {list(shape)} does not fit lora_B and the rank of the adapter"
    kinds: defaultdict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for name, shape in shapes.items():
        kinds[re.sub(r"\.\d+\.", ".*.", name)][name] = shape
    for alike in kinds.values():
        (usual, count), *others = Counter(alike.values()).most_common()
        if others and count == len(alike) - 1:
            odd = next(name for name, shape in alike.items() if shape != usual)
            yield f"{odd}: its shape is {list(alike[odd])}, and {list(usual)} in all other layers"


def read_tensor_header(path: Path) -> dict[str, Any]:
    """Return name → {dtype, shape, data_offsets} of a safetensors file. Raises TensorFileError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            raise TensorFileError(f"has a header of {length:,} bytes in a file of {size:,}")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise TensorFileError("has a header that is not JSON") from None
    if not isinstance(header, dict):
        raise TensorFileError("has a header that is not JSON")
    header.pop("__metadata__", None)
    _check_layout(header, size - 8 - length)
    return header


def _check_layout(header: Mapping[str, Any], size: int) -> None:
    """Raise TensorFileError unless the tensors fill the file one after another."""
    end = 0
    try:
        entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
        for name, entry in entries:
            shape, (start, stop) = entry["shape"], entry["data_offsets"]
            is_plain = all(type(value) is int and value >= 0 for value in [*shape, start, stop])
            if not is_plain or len(shape) > MAX_DIMENSIONS or start != end:
                raise TensorFileError(f"{name!r}: has no sane shape or place")
            if stop - start != math.prod(shape) * DTYPE_BYTES[entry["dtype"]]:
                raise TensorFileError(f"{name!r}: its shape is not that of its bytes")
            end = stop
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, TensorFileError):
            raise
        raise TensorFileError("has an entry that is not a tensor") from None
    if end != size:
        raise TensorFileError("has bytes that belong to no tensor" if end < size else "is cut off")


def _describe_tensor_problem(path: Path) -> str:
    try:
        header = read_tensor_header(path)
    except TensorFileError as error:
        return str(error)
    start = path.stat().st_size - max((entry["data_offsets"][1] for entry in header.values()), default=0)
    for name, entry in header.items():
        if not _is_finite(path, start + entry["data_offsets"][0], math.prod(entry["shape"]), entry["dtype"]):
            return f"{name!r}: has values that are not finite"
    return ""


def _is_finite(path: Path, start: int, count: int, dtype: str) -> bool:
    """Whether all numbers of a tensor are finite, read a piece at a time."""
    import numpy as np

    if dtype not in EXPONENT_MASKS:
        return True
    width, mask = DTYPE_BYTES[dtype], EXPONENT_MASKS[dtype]
    kind = np.dtype(f"<u{width}")
    with path.open("rb") as file:
        file.seek(start)
        while count:
            numbers = np.frombuffer(file.read(min(count * width, CHUNK_BYTES)), kind)
            if not len(numbers) or bool(((numbers & kind.type(mask)) == mask).any()):
                return False
            count -= len(numbers)
    return True


def _describe_text_problem(path: Path, suffix: str, is_script: bool) -> str:
    if path.stat().st_size > MAX_TEXT_BYTES:
        return f"is larger than {MAX_TEXT_BYTES >> 20} MiB"
    data = path.read_bytes()
    if b"\0" in data or (data.startswith(CODE_STARTS) and not is_script):
        return "looks like code or a pickle"
    try:
        text = data.decode()
        if suffix == ".json":
            json.loads(text)
    except (ValueError, RecursionError):
        return "is not JSON" if suffix == ".json" else "is not text"
    return ""


def _has_code_start(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith(CODE_STARTS)
