"""A contender that is a version of a specialist, such as the one that is served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from factory.api.jobs import AnswerJob
from factory.api.roles import Contender
from factory.api.rows import Answer
from factory.api.spec_block import Runtime

DEFAULT_ALIAS = "shipped"


class VersionContender(Contender):
    """A contender whose answers are those of a stored version of a specialist.

    Its job has the version's own task, objective, base and artifact in place of the spec's, and no training rows. The
    version is found when a plan is made: its bundle enters the key, and not the words that name it. While there is no
    such version, the contender is left out.
    """

    alias: Annotated[str, Runtime] = Field(DEFAULT_ALIAS, description="alias or number of the version")
    specialist: Annotated[str, Runtime] = Field(
        "", description="another specialist, as NAME or NAME@ALIAS; empty for versions of the spec's own name"
    )

    @model_validator(mode="after")
    def _require_one_alias(self) -> Self:
        if "@" in self.specialist and self.alias != DEFAULT_ALIAS:
            raise ValueError("give the alias either in `specialist`, as NAME@ALIAS, or in `alias`")
        return self

    def build_reference(self, name: str) -> str:
        """Return the version as `NAME@ALIAS`; `name` is that of the spec."""
        named = self.specialist or name
        return named if "@" in named else f"{named}@{self.alias}"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        yield from job.objective.answer(job.build_model_job(job.artifact))
