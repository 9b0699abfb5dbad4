"""Sources of rows: files, databases, datasets and installed packages; one source per module."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the sources of this package."""
    from factory_sources.chat_log import ChatLog
    from factory_sources.dataset import Dataset
    from factory_sources.delimited import Csv
    from factory_sources.documents import Documents
    from factory_sources.icd10 import Icd10
    from factory_sources.icd10_chapters import Icd10Chapters
    from factory_sources.installed_package import PackageSource
    from factory_sources.jsonl import Jsonl
    from factory_sources.parquet import Parquet
    from factory_sources.retrieval_dataset import Retrieval
    from factory_sources.sqlite import Sqlite

    return [ChatLog, Csv, Dataset, Documents, Icd10, Icd10Chapters, Jsonl, PackageSource, Parquet, Retrieval, Sqlite]
