"""The home folder of runs and store: `$FACTORY_HOME`, else the nearest `.factory` here or above, else one here."""

from __future__ import annotations

import os
from pathlib import Path

HOME_FOLDER_NAME = ".factory"
RESPONSES_FOLDER = Path("cache", "calls")
"""Cached answers of models, in the home folder, and the ledger of requests beside them."""
LEDGER_FILE = RESPONSES_FOLDER / "ledger.jsonl"


def find_home() -> Path:
    """Return the home folder, which need not exist yet."""
    configured = os.environ.get("FACTORY_HOME")
    if configured:
        return Path(configured).expanduser().absolute()
    here = Path.cwd()
    candidates = (folder / HOME_FOLDER_NAME for folder in (here, *here.parents))
    return next((folder for folder in candidates if folder.is_dir()), here / HOME_FOLDER_NAME)
