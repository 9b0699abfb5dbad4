"""Base models: parsing references, computing their identity, and fetching them into a folder. Imports no torch.

A reference is `wheel:NAME==VERSION`, `org/name[@revision]`, or a path. A fragment pins or names it: `#sha256=…` for a
wheel that is not in the catalogue, `#id=org/name` for a copy of a model with a hub id.
"""

from factory.models.catalogue import CATALOGUE, CatalogueEntry, list_catalogue
from factory.models.hub import create_hub_cache
from factory.models.model_folder import list_model_files
from factory.models.reference import Reference, parse_reference
from factory.models.resolver import compute_base_identity, list_base_hosts, resolve_base
from factory.models.wheel import pin_wheel

__all__ = [
    "CATALOGUE", "CatalogueEntry", "Reference", "compute_base_identity", "create_hub_cache", "list_base_hosts",
    "list_catalogue", "list_model_files", "parse_reference", "pin_wheel", "resolve_base",
]
