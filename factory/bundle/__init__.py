"""The deployable folder: an adapter in the PEFT layout, with the evidence for it. Reading one is light."""

from factory.bundle.golden import Golden, read_golden
from factory.bundle.manifest import SCHEMA, digest, load, verify
from factory.bundle.write import Evidence, facts, finish, prepare

__all__ = ["SCHEMA", "Evidence", "Golden", "digest", "facts", "finish", "load", "prepare", "read_golden", "verify"]
