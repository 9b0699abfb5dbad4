"""A deployment target: a folder from which a container image can be built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from factory.api import ExportJob, Target


class MyPlugin(Target):
    """Writes a Dockerfile for an image with the bundle and its public library; it does not build the image."""

    kind = "my-plugin"
    contract = 2

    image: str = Field("python:3.11-slim", description="base image")

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        # `factory check` calls this long before there is a bundle: a reason here saves an hour of training.
        return "" if manifest.get("loader") else "the objective declares no loader_class to load the bundle with"

    def export(self, job: ExportJob) -> None:
        library = str(job.manifest["loader"]).partition(":")[0].replace("_", "-")
        (job.out / "Dockerfile").write_text(
            f"FROM {self.image}\nRUN pip install --no-cache-dir {library} peft\nCOPY . /bundle\n"
            f'LABEL name="{job.manifest["name"]}" base="{job.manifest["base"]["id"]}"\n'
        )
