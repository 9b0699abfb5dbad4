"""A plugin module that imports a heavy library for everybody who lists plugins, and says so."""

import scipy.stats  # noqa: F401
from bad_kinds import Good

print("thank you for using heavy")


class Heavy(Good):
    """Keeps every row that has a text."""

    kind = "heavy"
