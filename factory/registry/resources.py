"""Locations of templates and guides: inside the package in a wheel, at the root of a clone."""

from __future__ import annotations

from pathlib import Path

import factory
from factory.errors import UnavailableError

PACKAGE_FOLDER = Path(factory.__file__).parent
RESOURCE_FOLDERS = (PACKAGE_FOLDER / "_material", PACKAGE_FOLDER.parent)


def find_resource(name: str) -> Path:
    """Return a file or folder such as `templates/plugin`. Raises UnavailableError if the installation lacks it."""
    for folder in RESOURCE_FOLDERS:
        if (folder / name).exists():
            return folder / name
    raise UnavailableError(f"{name} is not part of this installation; reinstall the factory, or use a clone")
