"""Where runs and the store live: `$FACTORY_HOME`, else the nearest `.factory` above, else one here."""

from __future__ import annotations

import os
from pathlib import Path

HOME_FOLDER_NAME = ".factory"


def find_home() -> Path:
    """The home folder; it need not exist yet."""
    named = os.environ.get("FACTORY_HOME")
    if named:
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    return next((p / HOME_FOLDER_NAME for p in (here, *here.parents) if (p / HOME_FOLDER_NAME).is_dir()), here / HOME_FOLDER_NAME)
