"""Client of a specialist: starts the server process and exchanges JSON lines with it. Imports no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from factory.bundle.delivered import find_base_stage, find_exporting_contender
from factory.bundle.manifest import find_manifest
from factory.errors import BUG, FactoryError, InputError
from factory.network_policy import is_loopback_host
from factory.plan.step_names import find_last_training
from factory.runs.deployable import find_deployable_part
from factory.runs.specialists import find_version, find_version_outputs
from factory.store.chosen_settings import SETTINGS, resolve_config
from factory.store.consents import read_consents
from factory.store.integrity import require_intact
from factory.store.outputs import Store


class SpecialistServerError(FactoryError):
    """The server process reported an error, or exited."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def build_server_config(home: Path, name: str) -> dict[str, Any]:
    """Return the server's configuration. Raises InputError if outputs of the build were deleted or are damaged."""
    version = find_version(home, name)
    require_intact(Store(home).locate_output("bundle", version.key))
    evidence = find_version_outputs(home, version)
    stages: Mapping[str, Mapping[str, Any]] = {str(stage.get("name")): stage for stage in evidence.run.plan}
    stage = stages.get(find_last_training(stages), {})
    plan: Mapping[str, Any] = stage.get("config", {})
    allowed = read_consents(home).hosts
    manifest = find_manifest(version.bundle)
    base_stage, contender = find_base_stage(manifest), find_exporting_contender(manifest)
    folders = {stage: evidence.find_intact_folder(stage) for stage in (base_stage, "gather")}
    aliases = [stage for stage in evidence.run.stages if stage.startswith("base[")]
    models = {stage[len("base[") : -1]: evidence.find_intact_folder(stage) for stage in aliases}
    missing = [stage for stage, folder in folders.items() if folder is None]
    if missing or "objective" not in plan:
        verb = "are" if len(missing) > 1 else "is"
        raise InputError(f"{name}: the {' and '.join(missing) or 'plan'} of its build {verb} missing; build it again")
    folders["base"] = folders.pop(base_stage)
    folders |= {"bundle": version.bundle, "root": Path(evidence.run.spec).parent, "cache": home / "cache" / "vectors"}
    if chosen := evidence.find_intact_folder(stage.get("inputs", {}).get(SETTINGS, SETTINGS)):
        plan = resolve_config(plan, {SETTINGS: chosen})
    return {
        "contender": contender, **find_deployable_part(evidence.run.plan, contender),
        "task": plan["task"], "objective": plan["objective"], "seed": plan.get("seed", 0),
        "backend": plan.get("train", {}).get("backend", "auto"),
        "hosts": [host for host in stage.get("hosts", ()) if host in allowed or is_loopback_host(host)],
        "models": {alias: str(folder) for alias, folder in models.items() if folder is not None},
        **{role: str(folder) for role, folder in folders.items()},
    }


def parse_columns(pairs: Iterable[str]) -> dict[str, Any]:
    """Parse `history=["Who was Ada?"]` and `language=en` into columns; JSON values are decoded. Raises InputError."""
    columns: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{pair!r} is not COLUMN=VALUE")
        try:
            columns[name.strip()] = json.loads(value)
        except ValueError:
            columns[name.strip()] = value.strip()
    return columns


class SpecialistClient:
    """Context manager of a server process, which exits when its standard input closes."""

    def __init__(self, home: Path, name: str, folders: Sequence[Path] = ()) -> None:
        self.server_config = {**build_server_config(home, name), "plugins": [str(folder) for folder in folders]}
        self.log = home / "ask.log"

    def __enter__(self) -> SpecialistClient:
        command = [sys.executable, "-m", "factory.serve.server"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self._send_message(self.server_config)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()

    def ask(
        self, query: str, documents: Sequence[Mapping[str, str]] = (), top: int = 10,
        fields: Mapping[str, Any] | None = None, on_text: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Return `answers`, the best documents (id, score, text), or `reply`, the output and its rendering.

        While an answer is generated, `on_text` is called repeatedly with the text so far.
        """
        request = {"query": query, "documents": list(documents), "top": top, "fields": dict(fields or {})}
        self._send_message({**request, "aloud": on_text is not None})
        reply = self._read_reply()
        while "so_far" in reply:
            if on_text is not None:
                on_text(reply["so_far"])
            reply = self._read_reply()
        if "failed" in reply:
            raise SpecialistServerError(reply["failed"], int(reply["exit_code"]))
        return reply

    def _read_reply(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else b""
        if not line:
            raise self._build_exit_error()
        return cast("dict[str, Any]", json.loads(line))

    def _send_message(self, message: Mapping[str, Any]) -> None:
        if self.process.stdin is None:
            return
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._build_exit_error() from None

    def _build_exit_error(self) -> SpecialistServerError:
        return SpecialistServerError(f"the server process exited; see its output in {self.log}", BUG)
