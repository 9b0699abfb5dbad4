"""The deployable folder: an artifact as plain libraries load it, with the evidence for it. Reading imports no torch."""

from factory.bundle.assembly import BundleInputs, copy_artifact_files, finish_bundle, write_bundle_evidence
from factory.bundle.delivered import describe_delivery, find_base_stage, find_exporting_contender
from factory.bundle.golden import read_golden
from factory.bundle.manifest import load_manifest, open_bundle_artifact, read_bundle_digest, verify_bundle

__all__ = [
    "BundleInputs", "copy_artifact_files", "describe_delivery", "find_base_stage", "find_exporting_contender",
    "finish_bundle", "load_manifest", "open_bundle_artifact", "read_bundle_digest", "read_golden", "verify_bundle",
    "write_bundle_evidence",
]
