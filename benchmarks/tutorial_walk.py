"""Runs the commands of the tutorial and times them: in a new venv with the wheel of this repository.

    python benchmarks/tutorial_walk.py --work /tmp/walk [--cached SITE_PACKAGES]

`--cached` names a folder of installed dependencies, so that only the factory itself is installed and the times are
those of the tutorial, not of downloads.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "templates" / "docs" / "tutorial.md"
VERDICT_EXIT_CODES = {0, 2, 3}
"""Exit codes of a build that reached a verdict."""


def read_tutorial_commands() -> Iterator[str]:
    """Yield the commands of the tutorial, in order."""
    for block in re.findall(r"```bash\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL):
        yield from (line for line in block.splitlines() if line.strip())


def create_venv(work: Path, cached: str) -> Path:
    """Create a venv with the factory's wheel; returns its folder of commands."""
    folder = work / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    if cached:
        site = next(folder.glob("lib/python*/site-packages"))
        (site / "cached.pth").write_text(cached + "\n")
    wheels = work / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels)]
    subprocess.run([*build, str(ROOT)], check=True)
    (wheel,) = wheels.glob("*.whl")
    options = ["--no-deps", "--force-reinstall"] if cached else []
    subprocess.run([str(python), "-m", "pip", "install", "-q", *options, str(wheel)], check=True)
    if not cached:
        subprocess.run([str(python), "-m", "pip", "install", "-q", "pytest"], check=True)
    return folder / "bin"


def walk(work: Path, commands: Path) -> float:
    """Run every command, following `cd`; returns the seconds. Raises SystemExit at the first failure."""
    folder, start = work, time.monotonic()
    environment = {
        **os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "FACTORY_HOME": str(work / "home"),
        "PYTHONPATH": "",  # only the installed wheel, not this working copy
    }
    for line in read_tutorial_commands():
        line_start = time.monotonic()
        for command in line.split(" && "):
            if command.startswith("cd "):
                folder = folder / command[3:]
                continue
            run = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
            if run.returncode not in (VERDICT_EXIT_CODES if command.startswith("factory build") else {0}):
                raise SystemExit(f"{command}\nended with {run.returncode}\n{run.stdout}\n{run.stderr}")
            if command.startswith("factory build"):
                print(run.stdout)
        print(f"{time.monotonic() - line_start:6.1f} s  {line[:100]}", flush=True)
    return time.monotonic() - start


def main() -> None:
    """Set up, run the tutorial, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cached", default="")
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    start = time.monotonic()
    commands = create_venv(options.work, options.cached)
    print(f"{time.monotonic() - start:6.1f} s  a venv with the factory in it", flush=True)
    print(f"{walk(options.work, commands):6.1f} s  the tutorial")


if __name__ == "__main__":
    main()
