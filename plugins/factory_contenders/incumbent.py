"""The version of the specialist that is served today."""

from __future__ import annotations

from factory.api import VersionContender


class Incumbent(VersionContender):
    """The version that an alias points to, by default `shipped`: a refresh must be better than what it replaces."""

    kind = "incumbent"
