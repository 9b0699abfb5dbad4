"""Whole builds from judged answers by the command line: their rows, their outputs, a kill, a question, an example."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import toy_builds as builds
from places import ROOT

from factory.data.rows import read_json

THINGS = ("sun", "moon", "star", "sky", "sea", "air", "fog", "ice", "dew", "mud")


def list_pairs() -> list[dict[str, Any]]:
    """Pairs of which length tells nothing: the worse answer is longer in every other row."""
    return [
        {"prompt": f"say {THINGS[n % 10]} {n}", "chosen": f"{THINGS[n % 10]}!",
         "rejected": f"no {THINGS[n % 10]}, no." if n % 2 else "no"}
        for n in range(80)
    ]


def write_lines(file: Path, records: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def read_output(home: Path, stage: str, name: str) -> dict[str, Any]:
    (file,) = (home / "store" / stage).glob(f"*/output/{name}")
    return dict(read_json(file))


def build(spec: Path, home: Path, *settings: str) -> tuple[int, list[str]]:
    """A build to its end, however long a busy machine takes: the exit code, and the lines of standard error."""
    process = builds.start(spec, home, *settings)
    _, said = process.communicate()
    return process.returncode, said.splitlines()


def build_example(name: str, backend: str, home: Path) -> None:
    """The smoke build of an example by a backend, which ends in a verdict."""
    example = ROOT / "specs" / "examples" / f"{name}.yaml"
    code, said = build(example, home, "--profile", "smoke", "--set", f"train.backend={backend}")
    assert code in (0, 2, 3), said


def kill_when(spec: Path, home: Path, is_there: Callable[[], object], seconds: float = builds.PATIENCE) -> None:
    """Start a build, and kill it once something is there."""
    killed = builds.start(spec, home)
    builds.until(is_there, seconds=seconds)
    killed.kill()
    builds.ended(killed)
    builds.until(lambda: not builds.living(home))


def ask(name: str, home: Path, folder: Path, query: str, *options: str) -> Any:
    """What `factory try` answers."""
    done = subprocess.run(
        [sys.executable, "-m", "factory", "try", name, "--query", query, *options, "--json"],
        capture_output=True, text=True, cwd=folder, env={**os.environ, "FACTORY_HOME": str(home)}, check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["reply"]["output"]
