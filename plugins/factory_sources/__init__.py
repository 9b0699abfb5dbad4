"""Where rows come from: one source a file."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The sources of this package."""
    from factory_sources.icd10 import Icd10
    from factory_sources.icd10_chapters import Icd10Chapters
    from factory_sources.jsonl import Jsonl
    from factory_sources.retrieval import Retrieval

    return [Icd10, Icd10Chapters, Jsonl, Retrieval]
