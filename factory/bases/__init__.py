"""Base models: what a reference means, what it is known by, and how it becomes a folder. Light: no torch here.

A reference is `wheel:NAME==VERSION`, `org/name[@revision]`, or a path; a fragment pins and names it:
`#sha256=…` for a wheel that the catalogue does not hold, `#id=org/name` for a copy of a model that others know.
"""

from factory.bases.catalogue import KNOWN, Known, known
from factory.bases.files import model_files
from factory.bases.hub import plant
from factory.bases.reference import Reference, parse
from factory.bases.resolve import hosts, identity, resolve
from factory.bases.wheel import pin

__all__ = [
    "KNOWN", "Known", "Reference", "hosts", "identity", "known", "model_files", "parse", "pin", "plant", "resolve",
]
