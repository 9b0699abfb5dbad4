"""Another place to run: a folder that a container serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from factory.api import ExportJob, Target


class MyPlugin(Target):
    """Writes a Dockerfile that puts the bundle into an image with its plain library. It builds nothing itself."""

    kind = "my-plugin"
    contract = 1

    image: str = Field("python:3.11-slim", description="the image that it starts from")

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        # Asked by `factory check`, long before there is a bundle: a reason here saves an hour of training.
        return "" if manifest.get("loader") else "the objective names no plain library that could load the bundle"

    def export(self, job: ExportJob) -> None:
        library = str(job.manifest["loader"]).partition(":")[0].replace("_", "-")
        (job.out / "Dockerfile").write_text(
            f"FROM {self.image}\nRUN pip install --no-cache-dir {library} peft\nCOPY . /bundle\n"
            f'LABEL name="{job.manifest["name"]}" base="{job.manifest["base"]["id"]}"\n'
        )
