"""Ways in which a disk, a crash or a hand damages bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

SEPARATORS = (b"\n", b"\r", b"\0", b'"', b",", b"{", b"]", b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xae", b"1e999", b"NaN")


def flip_bit(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with one bit flipped."""
    changed = bytearray(data or b"x")
    at = draw.randrange(len(changed))
    changed[at] ^= 1 << draw.randrange(8)
    return bytes(changed)


def overwrite_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with a stretch of random ones."""
    at, length = draw.randrange(len(data) + 1), draw.choice([1, 4, 64, 512])
    return data[:at] + draw.randbytes(length) + data[at + length :]


def truncate_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return a beginning of the bytes."""
    return data[: draw.randrange(len(data))] if data else b"x"


def append_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with more at the end."""
    return data + draw.choice([b"\0" * 512, b"x", b"\n{", data[: len(data) // 2] or b"x"])


def insert_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with a separator, or with what no text can hold, somewhere inside."""
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(SEPARATORS) + data[at:]


def zero_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with up to a page of zeros."""
    # A page that a crash left unwritten; one that is zero already is ended by a byte that is not.
    at = draw.randrange(len(data)) if data else 0
    changed = data[:at] + b"\0" * min(4096, len(data) - at) + data[at + 4096 :]
    return changed if changed != data else data + b"\1"


def repeat_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with a stretch of them twice."""
    first, last = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return data[:last] + data[first:last] + data[last:] if first < last else data + b"y"


def drop_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes without a stretch of them."""
    first, last = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return data[:first] + data[last:] if first < last else data + b"z"


Damage = Callable[[bytes, random.Random], bytes]
WAYS: tuple[Damage, ...] = (
    flip_bit, flip_bit, overwrite_bytes, truncate_bytes, append_bytes, insert_bytes, zero_bytes, repeat_bytes,
    drop_bytes,
)


def damage_file(file: Path, draw: random.Random, ways: tuple[Damage, ...] = WAYS) -> str:
    """Damage a file in one of the ways, as another file in its place; returns the name of the way.

    The file is never as it was.
    """
    data = file.read_bytes()
    while True:
        way = draw.choice(ways)
        if (changed := way(data, draw)) != data:
            break
    spare = file.with_name(f"{file.name}.new")
    spare.write_bytes(changed)
    spare.replace(file)
    return way.__name__
