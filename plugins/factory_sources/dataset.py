"""Datasets of the Hugging Face hub, and folders written by `save_to_disk`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from factory.api import Input, Job, get_hub_hosts
from factory_sources.records import RecordSource, SourceRecord, read_first_error_line, require_columns

DATASET_BATCH_ROWS = 1000
"""Rows held in memory at a time."""


class Dataset(RecordSource):
    """Reads one split of a dataset, one row per row. Class labels are replaced by their names.

    Only data files are read; code in a dataset is never run.
    """

    kind = "dataset"
    has_typed_values = True
    inspected_rows = 0

    name: str = Field("", pattern=r"^([\w.-]+(/[\w.-]+)?)?$", description="dataset id on the hub, such as owner/name")
    revision: str = Field("", pattern=r"^([0-9a-f]{40})?$", description="full commit hash on the hub; tags may move")
    config: str = Field("", description="configuration of a dataset on the hub that has several")
    folder: Annotated[Path | None, Input()] = Field(
        None, description="folder written by save_to_disk, relative to the spec; instead of `name`"
    )
    dataset_split: str = Field("train", description="split of the dataset to read")

    @model_validator(mode="after")
    def _require_hub_or_folder(self) -> Dataset:
        if bool(self.name) == bool(self.folder):
            raise ValueError("give either `name`, a dataset on the hub, or `folder`")
        if self.name and not self.revision:
            raise ValueError(f"{self.name} needs a `revision`: the full commit hash from its page on the hub")
        return self

    def list_required_modules(self) -> Mapping[str, str]:
        return {"datasets": "specialist-factory[datasets]"}

    def list_hosts(self) -> tuple[str, ...]:
        """Return the hosts of the hub, unless a local folder is read."""
        return get_hub_hosts() if self.name else ()

    def describe_source(self) -> str:
        return str(self.folder or self.name)

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        shown = str(self.folder) if self.folder else f"{self.name}@{self.revision[:12]}"
        data = self._load_dataset_split(job, shown)
        require_columns(self.list_source_fields(), data.column_names, shown)
        data = data.select_columns(self.list_source_fields())
        labels = {name: feature for name, feature in data.features.items() if hasattr(feature, "int2str")}
        stem, number = (self.folder.name if self.folder else self.name.rpartition("/")[2]), 0
        for batch in data.iter(batch_size=DATASET_BATCH_ROWS):
            for cells in zip(*batch.values(), strict=True):
                number += 1
                values = dict(zip(batch, cells, strict=True))
                for name, feature in labels.items():
                    is_missing = values[name] is None or values[name] < 0
                    values[name] = None if is_missing else feature.int2str(values[name])
                yield SourceRecord(shown, number, values, f"{stem}#{number}")

    def _load_dataset_split(self, job: Job, shown: str) -> Any:
        """Load the split, memory-mapped. Raises ValueError if the dataset, commit or split does not exist."""
        try:
            import datasets
        except ModuleNotFoundError as error:
            why = "the source `dataset` needs datasets: pip install 'specialist-factory[datasets]'"
            raise ModuleNotFoundError(why) from error
        try:
            if self.folder is None:
                return self._fetch_hub_split(datasets)
            data = _load_saved_folder(datasets, job.root / self.folder)
        except ConnectionError as error:
            raise ConnectionError(0, "cannot reach the hub", shown) from error
        except (FileNotFoundError, ValueError, RuntimeError) as error:
            raise ValueError(f"{shown}: {read_first_error_line(error)}") from error
        if isinstance(data, datasets.DatasetDict):
            if self.dataset_split not in data:
                raise ValueError(f"{shown}: {self.dataset_split}: no such split; the dataset has {', '.join(data)}")
            data = data[self.dataset_split]
        _require_whole_table(data, shown)
        return data

    def _fetch_hub_split(self, datasets: Any) -> Any:
        """Load the split at the revision."""
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # do not report downloads to the hub
        builder = datasets.load_dataset_builder(self.name, self.config or None, revision=self.revision)
        # When the commit is unavailable, the library silently falls back to another one from its cache.
        if builder.hash != self.revision:
            raise ValueError("this commit cannot be downloaded, and the cache only has another one; check `revision`")
        builder.download_and_prepare()
        if self.dataset_split not in builder.info.splits:
            raise ValueError(f"{self.dataset_split}: no such split; the dataset has {', '.join(builder.info.splits)}")
        return builder.as_dataset(split=self.dataset_split)


def _load_saved_folder(datasets: Any, folder: Path) -> Any:
    """Load a folder of `save_to_disk`. Raises ValueError if one of its files is damaged, or is no regular file."""
    for path in sorted(folder.rglob("*")):
        if not (path.is_file() or path.is_dir()):  # opening a pipe would wait for its writer
            raise ValueError(f"{path.relative_to(folder)}: not a regular file; save the dataset again")
    try:
        return datasets.load_from_disk(str(folder))
    except OSError as error:
        if error.errno:  # of the system, and not of what is in the files
            raise
        raise ValueError(f"the data files are damaged: {read_first_error_line(error)}") from error
    except (LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        # The library reads the fields of its JSON files without looking whether they are there.
        text = f"{type(error).__name__}: {read_first_error_line(error)}"
        raise ValueError(f"not a whole folder of save_to_disk ({text}); save it again") from error


def _require_whole_table(data: Any, shown: str) -> None:
    """Raise ValueError if offsets or texts of a split are damaged: reading along them would end the process."""
    try:
        data.data.validate(full=True)
    except ValueError as error:
        raise ValueError(f"{shown}: the data files are damaged: {read_first_error_line(error)}") from error
