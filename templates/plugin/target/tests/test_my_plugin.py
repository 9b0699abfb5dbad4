"""Tests of the target: the plugin contract, and its own behaviour."""

from pathlib import Path

from my_plugin.target import MyPlugin

from factory.api import Base, ExportJob, NoOpReporter
from factory.testing import build_conformance_suite

test_conforms = build_conformance_suite("my_plugin", record=Path(__file__).with_name("recorded.json"))

MANIFEST = {"name": "kinds", "loader": "sentence_transformers:SentenceTransformer", "base": {"id": "some/base"}}


def test_a_bundle_without_a_loader_is_refused() -> None:
    assert "no loader_class" in MyPlugin().explain_refusal({**MANIFEST, "loader": ""})
    assert MyPlugin().explain_refusal(MANIFEST) == ""


def test_the_image_has_the_library_that_loads_the_bundle(tmp_path: Path) -> None:
    base = Base(tmp_path, "some/base", "1", "0", "MIT")
    job = ExportJob(7, NoOpReporter(), tmp_path, bundle=tmp_path, base=base, manifest=MANIFEST, out=tmp_path)
    MyPlugin().export(job)
    assert "pip install --no-cache-dir sentence-transformers" in (tmp_path / "Dockerfile").read_text()
