"""Kinds of faults that `faults.py` injects, one module for each subject, over the real parts of the tests' support."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "tests" / "support" / "plugin_packages"
# The toy and its plugins are found as the tests find them: by path, without being installed.
sys.path[:0] = [str(ROOT / "tests" / "support"), str(PACKAGES / "toy"), str(PACKAGES / "curious")]
