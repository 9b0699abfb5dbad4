"""Where the repository and the parts of its tests lie."""

from pathlib import Path

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
PACKAGES = SUPPORT / "plugin_packages"
