"""Data that lies in an installed package, as many small reference sets do."""

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
    """A row for each record of a data file inside an installed package. The package is not imported."""

    kind = "package"

    package: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="name of the package, as pip has it")
    file: str = Field(description="the file inside it, .jsonl, .csv, .tsv or .parquet, as pip lists it")

    @field_validator("file")
    @classmethod
    def _validate_file_suffix(cls, file: str) -> str:
        if PurePosixPath(file).suffix not in FILE_SOURCES:
            raise ValueError(f"{file!r} is of no known form; there are {', '.join(FILE_SOURCES)}")
        return file

    def compute_fingerprint(self) -> str:
        """The version of the package. Raises ModuleNotFoundError when it is not installed."""
        return self._find_distribution().version

    def describe_source(self) -> str:
        return f"{self.package} {self.compute_fingerprint()}: {self.file}"

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        path, shown = self._locate_package_file(), self.describe_source()
        reader = FILE_SOURCES[path.suffix](file=path, columns=self.list_source_fields())
        for record in reader.read_records(job):
            yield SourceRecord(shown, record.line, record.values, record.id)

    def _locate_package_file(self) -> Path:
        """Where the file lies. Raises ValueError when the package lists none of this name."""
        files = self._find_distribution().files or ()
        found = next((file for file in files if str(file) == self.file), None)
        if found is None:
            near = [str(file) for file in files if file.name == PurePosixPath(self.file).name]
            known = near or [str(file) for file in files if file.suffix in FILE_SOURCES][:5]
            raise ValueError(
                f"{self.describe_source()}: no such file there; there are {', '.join(known) or 'none to read'}"
            )
        return Path(str(found.locate()))

    def _find_distribution(self) -> metadata.Distribution:
        try:
            return metadata.distribution(self.package)
        except metadata.PackageNotFoundError as error:
            raise ModuleNotFoundError(f"{self.package} is not installed: pip install {self.package}") from error
