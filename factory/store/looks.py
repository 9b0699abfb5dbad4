"""The ledger of looks: how often test rows were judged, for which specialist, by whom and when.

A look is another answer file of tuned to the same test rows, as each is another chance to ship by luck. Other settings
of the gate are none: nothing was drawn anew, and they stand in the spec and in the bundle for all to read. Nor is the
same answer file again, such as that of a cached or resumed build.

The ledger is one file beside the store, so that neither `factory gc` nor the removal of runs or of the store touches
it. It holds a user's name and is never copied into outputs, journals or reports: stages hand on numbers only.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from factory.store.fsync import append_locked_line, fsync_path, open_append

LOOKS_FILE = "looks.jsonl"
SAMPLE_SIZE = 64
"""Number of row digests that stand for a set of test rows: enough to tell half of it from a third."""


def _get_user_name() -> str:
    # A container's user may have no name.
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: digests of the test rows and of tuned's answers to them, the key of its training, and who judged it."""

    test: str
    sample: tuple[str, ...]
    """The smallest `SAMPLE_SIZE` digests of single test rows, in order: a sketch that shows what sets share."""
    answers: str
    train: str
    spec: str
    """Name of the specialist."""
    user: str = field(default_factory=_get_user_name)
    at: float = field(default_factory=lambda: round(time.time(), 3))
    """Seconds since the epoch."""

    def shares_rows(self, other: Look) -> bool:
        """Whether both looked at the same test rows: at sets of which at least half is common.

        The share is estimated from the smallest digests of the union (bottom-k sketches, Broder 1997): a test set with
        one row more or less, or with other computed columns, is no fresh one.
        """
        if self.test == other.test:
            return True
        own, others = set(self.sample), set(other.sample)
        smallest = sorted(own | others)[:SAMPLE_SIZE]
        return bool(smallest) and 2 * sum(digest in own and digest in others for digest in smallest) >= len(smallest)


def record_look(home: Path, look: Look) -> int:
    """Append a look unless the ledger has it, and return its number among the looks at the same test rows, from 1.

    A number never changes, as lines are only appended. Raises OSError if the line can not be written.
    """
    file = home / LOOKS_FILE
    handle = open_append(file)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # two builds at once must not get the same number
        answers = list(dict.fromkeys(known.answers for known in find_shared_looks(read_looks(home), look)))
        if look.answers not in answers:
            answers.append(look.answers)
            line = json.dumps(asdict(look), ensure_ascii=False, separators=(",", ":"))
            append_locked_line(handle, line.encode(), file)
        # Also a line that was there: its writer may have been killed before this.
        os.fsync(handle)
    finally:
        os.close(handle)
    fsync_path(home)
    return answers.index(look.answers) + 1


def read_looks(home: Path) -> list[Look]:
    """Return all looks, oldest first; lines that a crash has torn are skipped."""
    file = home / LOOKS_FILE
    lines = file.read_bytes().split(b"\n") if file.is_file() else []
    return [look for line in lines if (look := parse_look(line)) is not None]


def find_shared_looks(looks: Sequence[Look], look: Look) -> list[Look]:
    """Return the looks at the test rows that `look` was at, oldest first."""
    return [known for known in looks if known.shares_rows(look)]


def parse_look(line: bytes) -> Look | None:
    """Parse a line of the ledger; None if it is incomplete or not a look."""
    try:
        values = json.loads(line)
        known = {name.name: values[name.name] for name in fields(Look)}
        return Look(**{**known, "sample": tuple(known["sample"])})
    except (ValueError, KeyError, TypeError):
        return None
