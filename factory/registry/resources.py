"""Where templates and guides lie: in the wheel beside this package, in a clone at its root."""

from __future__ import annotations

from pathlib import Path

import factory
from factory.errors import UnavailableError

PACKAGE_FOLDER = Path(factory.__file__).parent
RESOURCE_FOLDERS = (PACKAGE_FOLDER / "_material", PACKAGE_FOLDER.parent)


def find_resource(name: str) -> Path:
    """The file or folder of a name, such as `templates/plugin`. Raises UnavailableError when the install lacks it."""
    for place in RESOURCE_FOLDERS:
        if (place / name).exists():
            return place / name
    raise UnavailableError(f"{name} is not part of this installation; install the factory again, or use a clone")
