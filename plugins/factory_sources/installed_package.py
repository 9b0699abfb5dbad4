"""Data files of installed packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath

from pydantic import Field, field_validator

from factory.api import Job
from factory_sources.delimited import Csv
from factory_sources.jsonl import Jsonl
from factory_sources.parquet import Parquet
from factory_sources.records import RecordSource, SourceRecord

FILE_SOURCES: Mapping[str, type[Csv | Jsonl | Parquet]] = {
    ".jsonl": Jsonl, ".csv": Csv, ".tsv": Csv, ".parquet": Parquet,
}


class PackageSource(RecordSource):
    """Reads a data file inside an installed package, one row per record. The package is not imported."""

    kind = "package"

    package: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="name of the installed package, as in pip list")
    file: str = Field(description="data file in it (.jsonl, .csv, .tsv or .parquet), as listed by pip show -f")

    @field_validator("file")
    @classmethod
    def _validate_file_suffix(cls, file: str) -> str:
        if PurePosixPath(file).suffix not in FILE_SOURCES:
            raise ValueError(f"unsupported file type {file!r}; use one of {', '.join(FILE_SOURCES)}")
        return file

    def compute_fingerprint(self) -> str:
        """Return the version of the package. Raises ModuleNotFoundError if it is not installed."""
        return find_distribution(self.package).version

    def describe_source(self) -> str:
        return f"{self.package} {self.compute_fingerprint()}: {self.file}"

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        path, shown = self._locate_package_file(), self.describe_source()
        reader = FILE_SOURCES[path.suffix](file=path, columns=self.list_source_fields())
        for record in reader.read_records(job):
            yield SourceRecord(shown, record.line, record.values, record.id)

    def _locate_package_file(self) -> Path:
        """Return the path of the file. Raises ValueError if the package does not list it."""
        files = find_distribution(self.package).files or ()
        match = next((file for file in files if str(file) == self.file), None)
        if match is None:
            same_name = [str(file) for file in files if file.name == PurePosixPath(self.file).name]
            known = same_name or [str(file) for file in files if file.suffix in FILE_SOURCES][:5]
            has = ", ".join(known) or "no data files"
            raise ValueError(f"{self.describe_source()}: no such file in the package; it has {has}")
        return Path(str(match.locate()))


def find_distribution(package: str) -> metadata.Distribution:
    """Return an installed package. Raises ModuleNotFoundError that says how to install it."""
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(f"{package} is not installed: pip install {package}") from error
