"""The memory of this machine, and the share of it that a build may use."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from factory.text.quantities import parse_quantity

MACHINE_SHARE = 0.8
"""Share of the machine's memory that `budget.memory: auto` allows: the system and other programs need some."""
CONTAINER_LIMIT_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def parse_memory_limit(text: str) -> float:
    """Convert `budget.memory` to bytes; `auto` is a share of the machine's memory."""
    return MACHINE_SHARE * measure_machine_bytes() if text == "auto" else parse_quantity(text)


def measure_machine_bytes() -> float:
    """Return the memory of this machine, or of the container that this process is in, in bytes."""
    total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in CONTAINER_LIMIT_FILES:
        with suppress(OSError, ValueError):
            total = min(total, float(Path(file).read_text()))
    return total
