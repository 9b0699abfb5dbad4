"""The response cache: one file per answer, named by the request's digest, written atomically and shared by builds."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from factory.api import ChatRequest, ChatResponse
from factory.llm import prompts
from factory.store.fsync import fsync_path

LOCK_POLL_INTERVAL = 0.05
"""Seconds between two tries to lock a request that another process holds."""


class ResponseCache:
    """A response cache in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _locate_entry(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def find_reply(self, request: ChatRequest, key: str) -> ChatResponse | None:
        """Return the cached reply to a request; None if there is none, or it is unreadable or no longer valid."""
        try:
            entry = json.loads(self._locate_entry(key).read_bytes())
            text, value = prompts.parse_answer(request, entry["text"])
            return ChatResponse(
                text, value, model=str(entry["model"]), prompt_digest=key, from_cache=True,
                input_tokens=int(entry["tokens_in"]), output_tokens=int(entry["tokens_out"]),
                cost=float(entry["cost"]), seconds=float(entry["seconds"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
            return None

    def write_reply(self, reply: ChatResponse, **extra: Any) -> None:
        """Write a valid reply, with `extra` fields, atomically; it is on disk (fsync) on return."""
        key = reply.prompt_digest
        entry = {
            "text": reply.text, "model": reply.model, "tokens_in": reply.input_tokens,
            "tokens_out": reply.output_tokens, "cost": reply.cost, "seconds": reply.seconds, **extra,
        }
        path = self._locate_entry(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{key}.{os.getpid()}.{threading.get_ident()}")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(entry, file, ensure_ascii=True, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            fsync_path(path.parent)
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
