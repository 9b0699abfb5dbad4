"""The tutorial by commands alone, timed: a fresh venv, the wheel of this repository, then every line that it shows.

    python benchmarks/tutorial_walk.py --work /tmp/walk [--cached SITE_PACKAGES]

`--cached` names a folder of installed dependencies, so that only the factory itself is installed anew: the time that
is told is then that of the tutorial, not of a download.
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
"""Exit codes of a build that came to a verdict."""


def read_tutorial_commands() -> Iterator[str]:
    """The commands of the tutorial, in order."""
    for block in re.findall(r"```bash\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL):
        yield from (line for line in block.splitlines() if line.strip())


def create_venv(work: Path, cached: str) -> Path:
    """A fresh venv with the factory's wheel in it; returns its folder of commands."""
    place = work / "venv"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    if cached:
        site = next(place.glob("lib/python*/site-packages"))
        (site / "cached.pth").write_text(cached + "\n")
    wheels = work / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels)]
    subprocess.run([*build, str(ROOT)], check=True)
    (wheel,) = wheels.glob("*.whl")
    alone = ["--no-deps", "--force-reinstall"] if cached else []
    subprocess.run([str(python), "-m", "pip", "install", "-q", *alone, str(wheel)], check=True)
    if not cached:
        subprocess.run([str(python), "-m", "pip", "install", "-q", "pytest"], check=True)
    return place / "bin"


def walk(work: Path, commands: Path) -> float:
    """Run every line in one shell folder after another; returns the seconds. Raises SystemExit at the first failure."""
    here, start = work, time.monotonic()
    environment = {
        **os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "FACTORY_HOME": str(work / "home"),
        "PYTHONPATH": "",
    }
    for line in read_tutorial_commands():
        began = time.monotonic()
        for part in line.split(" && "):
            if part.startswith("cd "):
                here = here / part[3:]
                continue
            run = subprocess.run(part, shell=True, cwd=here, env=environment, capture_output=True, text=True)
            if run.returncode not in (VERDICT_EXIT_CODES if part.startswith("factory build") else {0}):
                raise SystemExit(f"{part}\nended with {run.returncode}\n{run.stdout}\n{run.stderr}")
            if part.startswith("factory build"):
                print(run.stdout)
        print(f"{time.monotonic() - began:6.1f} s  {line[:100]}", flush=True)
    return time.monotonic() - start


def main() -> None:
    """Walk, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cached", default="")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True)
    start = time.monotonic()
    commands = create_venv(asked.work, asked.cached)
    print(f"{time.monotonic() - start:6.1f} s  a venv with the factory in it", flush=True)
    print(f"{walk(asked.work, commands):6.1f} s  the tutorial")


if __name__ == "__main__":
    main()
