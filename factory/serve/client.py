"""The light end of `ask`: starts the process that answers, and speaks with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from factory.errors import BUG, FactoryError, InputError
from factory.runs import specialists
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import find_run


class SpecialistServerError(FactoryError):
    """The answering process said no, or died."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def build_server_config(home: Path, name: str) -> dict[str, Any]:
    """What the answering process has to know of a specialist. Raises InputError when some of it was cleared away."""
    version = specialists.find_version(home, name)
    evidence = RunOutputs(home, find_run(home, version.run))
    plan: Mapping[str, Any] = next((s["config"] for s in evidence.run.plan if s.get("name") == "train"), {})
    folders = {stage: evidence.find_stage_folder(stage) for stage in ("base", "gather")}
    lent = [stage for stage in evidence.run.stages if stage.startswith("base[")]
    models = {
        stage[len("base["):-1]: folder for stage in lent if (folder := evidence.find_stage_folder(stage)) is not None
    }
    gone = [stage for stage, folder in folders.items() if folder is None]
    if gone or "objective" not in plan:
        raise InputError(
            f"{name}: the {' and '.join(gone) or 'plan'} of its build is not there any more; build it again"
        )
    blocks = {"task": plan["task"], "objective": plan["objective"], "seed": plan.get("seed", 0)}
    places = {
        "bundle": version.bundle,
        "root": Path(evidence.run.spec).parent,
        **folders,
        "cache": home / "cache" / "vectors",
    }
    named = {name: str(folder) for name, folder in places.items()}
    return {**blocks, **named, "models": {name: str(folder) for name, folder in models.items()}}


class SpecialistClient:
    """A process that answers, as a context. It ends when its standard input does."""

    def __init__(self, home: Path, name: str, folders: Sequence[Path] = ()) -> None:
        self.server_config = {**build_server_config(home, name), "plugins": [str(folder) for folder in folders]}
        self.log = home / "ask.log"

    def __enter__(self) -> SpecialistClient:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "factory.serve.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log
            )
        self._send_message(self.server_config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()

    def ask(
        self, query: str, documents: Sequence[Mapping[str, str]] = (), top: int = 10,
        fields: Mapping[str, Any] | None = None, heard: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """`answers`: the best documents, best first (id, score, text); or `reply`: the output, and how it is shown.

        One that writes is heard while it does: `heard` gets all that was written so far, again and again.
        """
        asked = {"query": query, "documents": list(documents), "top": top, "fields": dict(fields or {})}
        self._send_message({**asked, "aloud": heard is not None})
        found = self._read_reply()
        while "so_far" in found:
            if heard is not None:
                heard(found["so_far"])
            found = self._read_reply()
        if "failed" in found:
            raise SpecialistServerError(found["failed"], int(found["exit_code"]))
        return found

    def _read_reply(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else b""
        if not line:
            raise SpecialistServerError(f"the answering process died; its last words are in {self.log}", BUG)
        found: dict[str, Any] = json.loads(line)
        return found

    def _send_message(self, message: Mapping[str, Any]) -> None:
        if self.process.stdin is None:
            return
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise SpecialistServerError(f"the answering process died; its last words are in {self.log}", BUG) from None
