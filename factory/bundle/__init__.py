"""The deployable folder: an adapter in the PEFT layout, with the evidence for it. Reading one imports no torch."""

from factory.bundle.assembly import BundleInputs, copy_adapter_files, finish_bundle, write_bundle_evidence
from factory.bundle.golden import read_golden
from factory.bundle.manifest import load_manifest, read_bundle_digest, verify_bundle

__all__ = [
    "BundleInputs", "copy_adapter_files", "finish_bundle", "load_manifest", "read_bundle_digest", "read_golden",
    "verify_bundle", "write_bundle_evidence",
]
