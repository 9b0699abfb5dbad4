"""The response cache: one file per answer, named by the request's digest, written atomically and shared by builds."""

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
"""Seconds between two tries to lock a request that another process holds."""


class ResponseCache:
    """A response cache in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate_response(self, key: str) -> Path:
        """Return the path of the answer to a request."""
        return self.folder / key[:2] / f"{key}.json"

    def read_response(self, key: str) -> dict[str, Any] | None:
        """Return a cached answer; None when there is none or the file is unreadable."""
        try:
            answer = json.loads(self.locate_response(key).read_bytes())
        except (OSError, ValueError):
            return None
        return answer if isinstance(answer, dict) and isinstance(answer.get("text"), str) else None

    def write_response(self, key: str, answer: Mapping[str, Any]) -> None:
        """Write an answer atomically; it is on disk (fsync) on return."""
        path = self.locate_response(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{key}.{os.getpid()}.{threading.get_ident()}")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(dict(answer), file, ensure_ascii=True, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def lock_request(self, key: str) -> Iterator[None]:
        """Lock a request among all threads and processes of this home; the kernel unlocks it when the holder dies."""
        with _lock_among_threads(str(self.folder), key):
            file, offset = _open_lock_file(str(self.folder)), int(key[:15], 16)
            while True:
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
                    break
                except OSError:
                    time.sleep(LOCK_POLL_INTERVAL)
            try:
                yield
            finally:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, offset)


@cache
def _open_lock_file(folder: str) -> int:
    """Open a folder's lock file, one byte of which stands for each request.

    It stays open as long as the process: POSIX drops all locks of a process when any descriptor of the file is closed.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    return os.open(Path(folder) / "locks", os.O_RDWR | os.O_CREAT, 0o644)


_LOCKS_GUARD = threading.Lock()
_REQUEST_LOCKS: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
_LOCK_USERS: defaultdict[tuple[str, str], int] = defaultdict(int)


@contextmanager
def _lock_among_threads(folder: str, key: str) -> Iterator[None]:
    """Lock a request among threads: file locks are per process and do not exclude them."""
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
