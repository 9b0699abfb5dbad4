"""Strangers' packages, installed as a stranger installs them: a wheel of each, unpacked into a folder on the path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from places import PACKAGES


def installed(target: Path, packages: Sequence[str | Path]) -> Path:
    """`pip install --target`, from this machine alone; returns the folder for PYTHONPATH."""
    folders = [str(PACKAGES / package) for package in packages]
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
        "--disable-pip-version-check", "--target", str(target), *folders,
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target
