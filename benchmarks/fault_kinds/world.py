"""What faults are injected into: the toy's project with a finished build, and a real bundle; made once for a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from toy_project import SPEC, rows

from factory.events import RunFinished
from factory.identity import digest_file
from factory.store.journal import list_journals, read_events
from fault_kinds import PACKAGES, ROOT

BUNDLE_SCRIPT = """
import sys
from pathlib import Path
import tiny_parts
tiny_parts.importable()
from factory.stages import bundle
folder = Path(sys.argv[1])
bundle.run(tiny_parts.job(tiny_parts.stages(folder / "stages"), folder / "bundle"))
"""


@dataclass(frozen=True)
class World:
    """Folders of one run, which its faults copy and never change."""

    folder: Path
    sessions: dict[str, Any] = field(default_factory=dict)
    """Processes that serve cheap faults, by kind."""

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def spec(self) -> Path:
        return self.project / "toy.yaml"

    def prepare(self) -> None:
        """Write the toy's project, and let every process that is started find its plugins."""
        paths = [str(PACKAGES / name) for name in ("toy", "curious")]
        os.environ["PYTHONPATH"] = os.pathsep.join([*paths, str(ROOT / "tests" / "support")])
        os.environ.update({"OMP_NUM_THREADS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"})
        write_project(self.project)

    @cached_property
    def home(self) -> Path:
        """The home of an undisturbed build of the toy."""
        home = self.folder / "home"
        subprocess.run(
            [sys.executable, "-m", "factory", "build", str(self.spec)], env={**os.environ, "FACTORY_HOME": str(home)},
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        return home

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The digest of every file that the stages of that build wrote."""
        return digest_outputs(self.home)

    @cached_property
    def bundle(self) -> Path:
        """A bundle of a real model and adapter, of 32 dimensions."""
        folder = self.folder / "tiny"
        folder.mkdir()
        subprocess.run([sys.executable, "-c", BUNDLE_SCRIPT, str(folder)], check=True, stderr=subprocess.DEVNULL)
        return folder / "bundle"


def write_project(folder: Path) -> Path:
    """Write the toy's project into a folder; returns its spec."""
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "config.json").write_text(json.dumps({"model_type": "toy", "architectures": ["Toy"]}))
    (folder / "base" / "model.safetensors").write_bytes(b"")
    (folder / "toy.yaml").write_text(SPEC)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return folder / "toy.yaml"


def digest_outputs(home: Path) -> dict[str, str]:
    """Return the digest of every file that stages of a home wrote; what was set aside as damaged is left out."""
    store = home / "store"
    files = [path for path in store.glob("*/*/output/**/*") if path.is_file() and not path.parents[0].suffix]
    names = {str(path.relative_to(store)): path for path in files}
    return {name: digest_file(path) for name, path in names.items() if ".damaged/" not in name and ".part/" not in name}


def find_last_end(home: Path) -> RunFinished | None:
    """Return how the newest run of a home ended."""
    events = [event for _, event in read_events(list_journals(home)[-1])]
    return events[-1] if events and isinstance(events[-1], RunFinished) else None
