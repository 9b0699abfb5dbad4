"""Durable writes: flush files and folders to disk, and append whole lines to files that several processes share."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path


def fsync_path(path: Path) -> None:
    """Flush a file, or the directory entries of a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(handle: int, data: bytes, path: Path) -> None:
    """Write all of `data` to a file descriptor. Raises OSError, with the path, where less can be written.

    A single `write` may take a part only, as on a disk that is nearly full, and reports that by its result alone.
    """
    rest = memoryview(data)
    while rest:
        try:
            written = os.write(handle, rest)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        rest = rest[written:]


def append_line(handle: int, line: bytes, path: Path, *, sync: bool = True) -> None:
    """Append a line, without its newline, to a file opened by `open_append`: whole and on disk, or not at all.

    A lock keeps lines of several processes apart. Raises OSError, with the path, if the disk is full.
    """
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        append_locked_line(handle, line, path, sync=sync)
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


def append_locked_line(handle: int, line: bytes, path: Path, *, sync: bool = True) -> None:
    """Append a line as `append_line` does, for a caller that holds the lock.

    An unfinished last line, such as that of a killed process, is ended first, so that it spoils only itself.
    """
    size = os.fstat(handle).st_size
    start = b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""
    try:
        write_whole(handle, start + line + b"\n", path)
        if sync:
            os.fdatasync(handle)
    except OSError:
        # Nobody else writes while the lock is held: what was written of the line is taken back.
        with suppress(OSError):
            os.ftruncate(handle, size)
        raise


def open_append(path: Path, *, mode: int = 0o600, flags: int = 0) -> int:
    """Open a file for `append_line`, creating it and its folder; by default only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | flags, mode)


def get_file_mode() -> int:
    """Return the mode of an ordinary file under the umask of this process."""
    # Reading the umask takes setting it: for that moment, files of other threads are private rather than open to all.
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask
