"""Versions of specialists that stand in the ring of a spec: what a plan must know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from factory.errors import InputError


@dataclass(frozen=True, slots=True)
class IncumbentVersion:
    """A version of a specialist as a contender. All keys are those of stages of the build that made it."""

    specialist: str
    number: int
    bundle: str
    """Key of its bundle."""
    trained: Mapping[str, str]
    """Stage → key of each stage that trained it."""
    outputs: Mapping[str, str]
    """Stage → key of what answering needs beside the bundle: the base, further models, and its settings."""
    rows: Mapping[str, str]
    """Stage → key of the outputs with its training and validation rows."""
    task: Mapping[str, Any]
    objective: Mapping[str, Any]
    plugins: Mapping[str, Any]
    """Role → kind and version of its plugins as they are installed now."""
    seed: int
    backend: str
    root: str
    """Folder of its spec."""
    base_stage: str = "base"
    """Stage that resolved the base of its artifact."""
    contender: str = ""
    """The contender whose export it delivers; empty for what was trained."""
    deployable: Mapping[str, Any] = field(default_factory=dict)
    """Kind → block of that contender."""

    @property
    def label(self) -> str:
        """`NAME@2`, as all commands take it."""
        return f"{self.specialist}@{self.number}"

    def to_json(self) -> dict[str, Any]:
        """Return the version as in the config of a stage."""
        return asdict(self)

    def build_identity(self) -> dict[str, Any]:
        """Return what its answers depend on: the bundle is content-addressed, and has all the rest in its key."""
        return {"bundle": self.bundle, "plugins": dict(self.plugins)}


@dataclass(frozen=True, slots=True)
class IncumbentSearch:
    """What an alias points to: a version and its own incumbent, or why there is none yet.

    `previous` is the version that `version` was judged against. It takes its place in the plan of the build that made
    `version`, which would else be compared with itself as soon as it ships.
    """

    reference: str
    version: IncumbentVersion | None = None
    previous: IncumbentVersion | None = None
    missing: str = ""
    problem: str = ""
    """Why `version` can not answer, if it can not."""

    def choose_version(self, trained: Mapping[str, str]) -> IncumbentVersion | None:
        """Return the version to compare with in a plan that trains by these stages and keys; None if there is none.

        Raises InputError if it can not answer.
        """
        if self.version is not None and dict(self.version.trained) == dict(trained):
            return self.previous
        if self.problem:
            raise InputError(self.problem)
        return self.version

    def describe_choice(self, trained: Mapping[str, str]) -> str:
        """Return which version answers in such a plan, or why none does, in a line."""
        chosen = self.choose_version(trained)
        if self.version is None:
            return f"left out, as {self.missing}"
        if chosen is self.version:
            return f"{chosen.label}, which {self.reference} points to"
        own = f"{self.version.label}, which {self.reference} points to, is what this spec builds"
        return f"{chosen.label}, as {own}" if chosen else f"left out, as {own}, and it had no incumbent"
