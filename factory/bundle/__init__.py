"""The deployable folder: an adapter in the PEFT layout, with the evidence for it. Reading one is light."""

from factory.bundle.golden import GoldenRows, read_golden
from factory.bundle.manifest import MANIFEST_SCHEMA, read_bundle_digest, load_manifest, verify_bundle
from factory.bundle.write import BundleInputs, write_bundle_evidence, finish_bundle, copy_adapter_files

__all__ = ["MANIFEST_SCHEMA", "BundleInputs", "GoldenRows", "read_bundle_digest", "write_bundle_evidence", "finish_bundle", "load_manifest", "copy_adapter_files", "read_golden", "verify_bundle"]
