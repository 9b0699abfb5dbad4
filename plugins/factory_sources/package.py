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
from factory_sources.records import Record, Records

READERS: Mapping[str, type[Csv | Jsonl | Parquet]] = {
    ".jsonl": Jsonl, ".csv": Csv, ".tsv": Csv, ".parquet": Parquet,
}


class Package(Records):
    """A row for each record of a data file inside an installed package. The package is not imported."""

    kind = "package"

    package: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="name of the package, as pip has it")
    file: str = Field(description="the file inside it, .jsonl, .csv, .tsv or .parquet, as pip lists it")

    @field_validator("file")
    @classmethod
    def _of_a_known_form(cls, file: str) -> str:
        if PurePosixPath(file).suffix not in READERS:
            raise ValueError(f"{file!r} is of no known form; there are {', '.join(READERS)}")
        return file

    def compute_fingerprint(self) -> str:
        """The version of the package. Raises ModuleNotFoundError when it is not installed."""
        return self._distribution().version

    def called(self) -> str:
        return f"{self.package} {self.compute_fingerprint()}: {self.file}"

    def records(self, job: Job) -> Iterator[Record]:
        path, shown = self._path(), self.called()
        reader = READERS[path.suffix](file=path, columns=self.fields())
        for record in reader.records(job):
            yield Record(shown, record.line, record.values, record.id)

    def _path(self) -> Path:
        """Where the file lies. Raises ValueError when the package lists none of this name."""
        files = self._distribution().files or ()
        found = next((file for file in files if str(file) == self.file), None)
        if found is None:
            near = [str(file) for file in files if file.name == PurePosixPath(self.file).name]
            known = near or [str(file) for file in files if file.suffix in READERS][:5]
            raise ValueError(f"{self.called()}: no such file there; there are {', '.join(known) or 'none to read'}")
        return Path(str(found.locate()))

    def _distribution(self) -> metadata.Distribution:
        try:
            return metadata.distribution(self.package)
        except metadata.PackageNotFoundError as error:
            raise ModuleNotFoundError(f"{self.package} is not installed: pip install {self.package}") from error
