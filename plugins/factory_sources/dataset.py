"""Datasets of the Hugging Face hub, and folders that `datasets` saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from factory.api import Input, Job, get_hub_hosts
from factory_sources.records import RecordSource, SourceRecord, convert_to_json_value, require_columns

DATASET_BATCH_ROWS = 1000
"""Rows that are held at a time."""


class Dataset(RecordSource):
    """A row for each row of one split of a dataset. Names stand for the numbers of class labels. No code of a dataset
    is ever run: only its data files are read.
    """

    kind = "dataset"

    name: str = Field("", pattern=r"^([\w.-]+(/[\w.-]+)?)?$", description="id on the hub, such as owner/name")
    revision: str = Field("", pattern=r"^([0-9a-f]{40})?$", description="its commit on the hub, in full: tags may move")
    config: str = Field("", description="which configuration, where a dataset on the hub has several")
    folder: Annotated[Path | None, Input()] = Field(
        None, description="or a folder that save_to_disk wrote, relative to the spec"
    )
    part: str = Field("train", description="which of the dataset's own splits to read")

    @model_validator(mode="after")
    def _require_hub_or_folder(self) -> Dataset:
        if bool(self.name) == bool(self.folder):
            raise ValueError("name a dataset on the hub, or a `folder`: one of the two")
        if self.name and not self.revision:
            raise ValueError(f"say which `revision` of {self.name}: the commit, as its page on the hub has it")
        return self

    def list_hosts(self) -> tuple[str, ...]:
        """The hub, where it must be asked."""
        return get_hub_hosts() if self.name else ()

    def describe_source(self) -> str:
        return str(self.folder or self.name)

    def convert_field_value(self, value: Any) -> Any:
        return convert_to_json_value(value)

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        shown = str(self.folder) if self.folder else f"{self.name}@{self.revision[:12]}"
        data = self._load_dataset_split(job, shown)
        require_columns(self.list_source_fields(), data.column_names, shown)
        data, names = data.select_columns(self.list_source_fields()), _build_label_decoders(data.features)
        stem, number = (self.folder.name if self.folder else self.name.rpartition("/")[2]), 0
        for batch in data.iter(batch_size=DATASET_BATCH_ROWS):
            for cells in zip(*batch.values(), strict=True):
                number += 1
                values = dict(zip(batch, cells, strict=True))
                named = {field: name(values[field]) for field, name in names.items() if field in values}
                yield SourceRecord(shown, number, {**values, **named}, f"{stem}#{number}")

    def _load_dataset_split(self, job: Job, shown: str) -> Any:
        """The split, memory-mapped. Raises ValueError that says what is not there."""
        try:
            import datasets
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("this needs datasets: pip install 'specialist-factory[datasets]'") from error
        try:
            if self.folder is None:
                return self._fetch_hub_split(datasets)
            found = datasets.load_from_disk(str(job.root / self.folder))
        except ConnectionError as error:
            raise ConnectionError(0, "the hub can not be reached", shown) from error
        except (FileNotFoundError, ValueError, RuntimeError) as error:
            raise ValueError(f"{shown}: {_read_first_error_line(error)}") from error
        if isinstance(found, datasets.DatasetDict):
            if self.part not in found:
                raise ValueError(f"{shown}: {self.part}: no such split; there are {', '.join(found)}")
            return found[self.part]
        return found

    def _fetch_hub_split(self, datasets: Any) -> Any:
        """The split as it is at the revision. The library takes another that it has when it can not get this."""
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # it would tell a third party which data is read
        builder = datasets.load_dataset_builder(self.name, self.config or None, revision=self.revision)
        if builder.hash != self.revision:
            raise ValueError("can not be read at this commit; only another one lies in the cache")
        builder.download_and_prepare()
        if self.part not in builder.info.splits:
            raise ValueError(f"{self.part}: no such split; there are {', '.join(builder.info.splits)}")
        return builder.as_dataset(split=self.part)


def _build_label_decoders(features: Any) -> dict[str, Callable[[int | None], str | None]]:
    """What turns a number into its name, for each field that holds class labels."""
    import datasets

    def named(label: Any) -> Callable[[int | None], str | None]:
        return lambda number: None if number is None or number < 0 else label.int2str(number)

    return {field: named(kind) for field, kind in features.items() if isinstance(kind, datasets.ClassLabel)}


def _read_first_error_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
