"""The home folder of runs and store: `$FACTORY_HOME`, else the nearest `.factory` here or above, else one here."""

from __future__ import annotations

import os
import stat
from pathlib import Path

HOME_FOLDER_NAME = ".factory"
RESPONSES_FOLDER = Path("cache", "calls")
"""Cached answers of models, in the home folder, and the ledger of requests beside them."""
LEDGER_FILE = RESPONSES_FOLDER / "ledger.jsonl"
PRIVATE_FOLDERS = (Path("store"), Path("runs"), Path("versions"), RESPONSES_FOLDER.parent, RESPONSES_FOLDER)


def find_home() -> Path:
    """Return the home folder, which need not exist yet."""
    configured = os.environ.get("FACTORY_HOME")
    if configured:
        return Path(configured).expanduser().absolute()
    here = Path.cwd()
    candidates = (folder / HOME_FOLDER_NAME for folder in (here, *here.parents))
    return next((folder for folder in candidates if folder.is_dir()), here / HOME_FOLDER_NAME)


def create_home(home: Path) -> None:
    """Create the home folder, and in it those of rows, answers and journals, for nobody but their owner.

    A home that exists and that its group may write to is a shared one: what is below is open to the group.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    is_shared = home.is_dir() and bool(home.stat().st_mode & stat.S_IWGRP)
    for folder in (home, *(home / name for name in PRIVATE_FOLDERS)):
        folder.mkdir(mode=0o770 if is_shared else 0o700, exist_ok=True)
