"""The deployable folder: an adapter in the PEFT layout, with the evidence for it. Reading one is light."""

from factory.bundle.assembly import BundleInputs, copy_adapter_files, finish_bundle, write_bundle_evidence
from factory.bundle.golden import GoldenRows, read_golden
from factory.bundle.manifest import MANIFEST_SCHEMA, load_manifest, read_bundle_digest, verify_bundle

__all__ = [
    "MANIFEST_SCHEMA",
    "BundleInputs",
    "GoldenRows",
    "copy_adapter_files",
    "finish_bundle",
    "load_manifest",
    "read_bundle_digest",
    "read_golden",
    "verify_bundle",
    "write_bundle_evidence"
]
