"""Answers on disk, by the digest of their request: a file each, whole or not there, shared by all builds of a home."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

LOCK_POLL_INTERVAL = 0.05
"""Seconds between two looks whether another process has the answer that it is asking for."""


class ResponseCache:
    """The cache of answers in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate_response(self, key: str) -> Path:
        """Where the answer to a request lies."""
        return self.folder / key[:2] / f"{key}.json"

    def read_response(self, key: str) -> dict[str, Any] | None:
        """An answer; None when there is none. What can not be read was never paid for twice by believing it."""
        try:
            found = json.loads(self.locate_response(key).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("text"), str) else None

    def write_response(self, key: str, answer: Mapping[str, Any]) -> None:
        """Keep an answer: it is on the disk when this returns."""
        place = self.locate_response(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{key}.{os.getpid()}.{threading.get_ident()}")
        try:
            with part.open("w", encoding="utf-8") as file:
                json.dump(dict(answer), file, ensure_ascii=True, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def lock_request(self, key: str) -> Iterator[None]:
        """Hold a request, so that no other process of this home asks the same meanwhile. A killed holder lets go."""
        with _lock_among_threads(str(self.folder), key):
            file, place = _open_lock_file(str(self.folder)), int(key[:15], 16)
            while True:
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                    break
                except OSError:
                    time.sleep(LOCK_POLL_INTERVAL)
            try:
                yield
            finally:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, place)


@cache
def _open_lock_file(folder: str) -> int:
    """The descriptor of a folder's lock file: a byte of it for each request. It stays open as long as the process,
    for closing one would let go of all."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    return os.open(Path(folder) / "locks", os.O_RDWR | os.O_CREAT, 0o644)


_LOCKS_GUARD = threading.Lock()
_REQUEST_LOCKS: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
_LOCK_USERS: defaultdict[tuple[str, str], int] = defaultdict(int)


@contextmanager
def _lock_among_threads(folder: str, key: str) -> Iterator[None]:
    """The same among the threads of this process, to which a file's locks say nothing."""
    name = (folder, key)
    with _LOCKS_GUARD:
        _LOCK_USERS[name] += 1
        lock = _REQUEST_LOCKS[name]
    try:
        with lock:
            yield
    finally:
        with _LOCKS_GUARD:
            _LOCK_USERS[name] -= 1
            if not _LOCK_USERS[name]:
                del _LOCK_USERS[name], _REQUEST_LOCKS[name]
