"""Base models: what a reference means, what it is known by, and how it becomes a folder. Light: no torch here.

A reference is `wheel:NAME==VERSION`, `org/name[@revision]`, or a path; a fragment pins and names it:
`#sha256=…` for a wheel that the catalogue does not hold, `#id=org/name` for a copy of a model that others know.
"""

from factory.models.catalogue import CATALOGUE, CatalogueEntry, list_catalogue
from factory.models.hub import create_hub_cache
from factory.models.model_folder import list_model_files
from factory.models.reference import Reference, parse_reference
from factory.models.resolver import compute_base_identity, list_base_hosts, resolve_base
from factory.models.wheel import pin_wheel

__all__ = [
    "CATALOGUE", "CatalogueEntry", "Reference", "list_base_hosts", "compute_base_identity", "list_catalogue", "list_model_files", "parse_reference", "pin_wheel", "create_hub_cache", "resolve_base",
]
