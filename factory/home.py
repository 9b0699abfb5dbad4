"""Where runs and the store live: `$FACTORY_HOME`, else the nearest `.factory` above, else one here."""

from __future__ import annotations

import os
from pathlib import Path

NAME = ".factory"


def home() -> Path:
    """The home folder; it need not exist yet."""
    named = os.environ.get("FACTORY_HOME")
    if named:
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    return next((p / NAME for p in (here, *here.parents) if (p / NAME).is_dir()), here / NAME)
