"""What a build says of something bad, and packages to be bad with."""

import os
import subprocess
import sys
from pathlib import Path

import toy_builds as builds


def complaint(spec: Path, home: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The exit code and the one line that says why; nothing looks like a traceback."""
    code, said = builds.build(spec, home, *arguments, **environment)
    assert not any("Traceback" in line for line in said), said
    told = [line for line in said if ": failed" in line]
    after = said[said.index(told[0]) + 1 :] if told else said
    assert len(after) == 1, said
    return code, after[0]


def listed(tmp_path: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path, "FACTORY_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "factory", *arguments]
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)


def package(folder: Path, name: str, source: str) -> str:
    """An installed plugin package, for PYTHONPATH."""
    facts = folder / f"{name}-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "entry_points.txt").write_text(f"[factory.plugins]\n{name} = {name}\n")
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / f"{name}.py").write_text(source)
    return str(folder)
