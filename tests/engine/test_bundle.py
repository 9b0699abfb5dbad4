"""The bundle: the same bytes anywhere, checked byte for byte, and reloaded by a plain library in a fresh process."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_parts
import yaml

from factory import bundle
from factory.api import Artifact, Base
from factory.bundle.manifest import write_manifest
from factory.errors import CertificationError, InputError
from factory.stages import bundle as bundle_stage
from factory.stages import certify


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tiny_parts.importable()
    return tiny_parts.stages(tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="module")
def built(stages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "bundle"
    bundle_stage.run(tiny_parts.job(stages, out))
    return out


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "copy"))


@pytest.fixture
def child_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    paths = [str(tiny_parts.PACKAGE), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    yield


def test_the_adapters_config_names_the_base_by_id_in_one_form(built: Path) -> None:
    text = (built / "adapter_config.json").read_text()
    config = json.loads(text)
    assert config["base_model_name_or_path"] == "tiny/bert"
    assert config["revision"] is None
    assert config["inference_mode"] is True
    assert config["target_modules"] == ["dense", "query", "value"]
    assert text == json.dumps(config, sort_keys=True, indent=2) + "\n"
    assert {path.stat().st_mode & 0o777 for path in built.rglob("*") if path.is_file()} == {0o644}


def test_the_manifest_tells_what_the_bundle_is(built: Path) -> None:
    manifest = bundle.load_manifest(built)
    assert manifest["base"]["id"] == "tiny/bert"
    assert (manifest["rank"], manifest["modules"], manifest["architecture"]) == (4, 11, "BertModel")
    assert manifest["gate"]["verdict"] == "SHIP"
    assert manifest["digests"]["data"].keys() == {"test", "train"}
    assert manifest["packages"]["peft"]
    assert "README.md" in manifest["files"]
    assert json.loads((built / "factory/spec.json").read_text())["models"]["student"] == "local folder"


def test_the_same_inputs_elsewhere_give_the_same_digest(stages: dict[str, Path], built: Path, tmp_path: Path) -> None:
    moved = {role: Path(shutil.copytree(path, tmp_path / "moved" / role)) for role, path in stages.items()}
    config = moved["train"] / "artifact" / "adapter_config.json"
    shuffled = json.loads(config.read_text())
    shuffled["target_modules"].reverse()
    shuffled["base_model_name_or_path"] = "/another/machine"
    config.write_text(json.dumps(shuffled))
    bundle_stage.run(tiny_parts.job(moved, tmp_path / "again"))
    assert bundle.read_bundle_digest(tmp_path / "again") == bundle.read_bundle_digest(built)


def test_a_copy_verifies(copied: Path) -> None:
    (copied / "README.md").chmod(0o600)
    assert bundle.verify_bundle(copied) == []


@pytest.mark.parametrize(
    "name", ["adapter_model.safetensors", "README.md", "factory/manifest.json", "factory/golden.jsonl"]
)
def test_one_flipped_byte_is_seen(copied: Path, name: str) -> None:
    data = bytearray((copied / name).read_bytes())
    place = data.find(b"e", len(data) // 2)
    data[place] ^= 1
    (copied / name).write_bytes(data)
    assert f"{name}: was changed" in bundle.verify_bundle(copied)


def test_added_and_missing_files_are_seen(copied: Path) -> None:
    (copied / "extra").mkdir()
    (copied / "extra" / "run.py").write_text("print()")
    (copied / "link").symlink_to("README.md")
    (copied / "LICENSES.md").unlink()
    assert bundle.verify_bundle(copied) == ["LICENSES.md: is missing", "extra/run.py: was added", "link: was added"]


def test_what_is_no_bundle_is_refused(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(InputError, match="is not a bundle"):
        bundle.load_manifest(tmp_path)
    manifest = bundle.load_manifest(copied)
    (copied / "factory/manifest.json").write_text(json.dumps({**manifest, "schema": 9}))
    with pytest.raises(InputError, match="schema 9"):
        bundle.verify_bundle(copied)


def test_a_bundle_says_what_it_carries_and_one_made_before_carries_an_adapter(copied: Path, tmp_path: Path) -> None:
    base = Base(tmp_path, "tiny/bert", "1", "d" * 64, "MIT")
    assert bundle.open_bundle_artifact(copied, base) == Artifact("adapter", copied, base)
    manifest = bundle.load_manifest(copied)
    for facts, kind in (({**manifest, "artifact": "weights"}, "weights"), ({"files": {}, "schema": 1}, "adapter")):
        (copied / "factory/manifest.json").write_text(json.dumps(facts))
        assert bundle.open_bundle_artifact(copied, base).kind == kind


def test_what_the_factory_writes_itself_is_not_taken_from_an_artifact(tmp_path: Path) -> None:
    made, base = tmp_path / "made", Base(tmp_path, "tiny/bert", "1", "d" * 64, "MIT")
    for name in ("README.md", "factory/gate.json", "labels/config.json", "model.safetensors"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    bundle.copy_artifact_files(tmp_path / "out", Artifact("weights", made, base))
    copies = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert copies == ["labels/config.json", "model.safetensors"]


def test_the_card_has_the_verdict_first_and_the_hubs_metadata(built: Path) -> None:
    _, head, body = (built / "README.md").read_text().split("---\n", 2)
    metadata = yaml.safe_load(head)
    assert metadata["base_model"] == "tiny/bert"
    assert metadata["license"] == "mit"
    assert metadata["model-index"][0]["results"][0]["metrics"] == [{"type": "ndcg@10", "value": 0.6}]
    assert body.strip().splitlines()[2].startswith("**SHIP**")
    assert "| tuned | 0.600 [0.400, 0.600] |" in body
    assert "CC0-1.0" in (built / "LICENSES.md").read_text()


def test_golden_rows_carry_all_that_is_needed_to_answer_them(built: Path) -> None:
    golden = bundle.read_golden(built)
    assert len(golden.rows) == 16
    for row in golden.rows:
        assert set(row["candidates"]) <= set(golden.tables["documents"])
        assert len(golden.answers[row.id].output) == 4


def test_a_path_of_this_machine_stops_the_bundle(stages: dict[str, Path], tmp_path: Path) -> None:
    job = tiny_parts.job(stages, tmp_path / "out", spec={"models": {}, "note": str(tmp_path / "out")})
    with pytest.raises(Exception, match="must not depend on this machine"):
        bundle_stage.run(job)


def test_certify_reloads_it_by_the_plain_library(
    stages: dict[str, Path], built: Path, tmp_path: Path, child_path: None
) -> None:
    certify.run(tiny_parts.job({**stages, "bundle": built}, tmp_path / "out"))
    facts = json.loads((tmp_path / "out" / "certify.json").read_text())
    assert facts["passed"] and facts["rows"] == 16 and facts["modules"] == 11
    assert facts["largest_difference"] < 1e-5 < facts["change"]
    assert facts["library"] == "sentence-transformers"


@pytest.mark.slow
def test_certify_refuses_an_adapter_that_loads_as_nothing(
    stages: dict[str, Path], copied: Path, tmp_path: Path, child_path: None
) -> None:
    from safetensors.torch import load_file, save_file

    file = copied / "adapter_model.safetensors"
    save_file({name.replace("encoder", "encoded"): value for name, value in load_file(file).items()}, file)
    manifest = bundle.load_manifest(copied)
    write_manifest(
        copied, {name: value for name, value in manifest.items() if name not in ("files", "digest", "schema")}
    )
    with pytest.raises(CertificationError):
        certify.run(tiny_parts.job({**stages, "bundle": copied}, tmp_path / "out"))


@pytest.mark.parametrize(
    ("gated", "tuned", "untuned", "message"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0]], [[1.0, 2.0]], "does not change the answers"),
        ([[1.0, 2.0]], [[1.0, 2.2]], [[2.0, 1.0]], "differ from the judged model's by 10.00%"),
        ([[1.0, 2.0]], [[1.0, 2.02]], [[1.0, 2.03]], "nearer to the untuned base"),
        (["yes"], ["no"], ["yes"], "golden rows differ"),
        (["a", "b"], ["a", "b"], ["a", "b"], "does not change the answers"),
    ],
)
def test_certify_says_which_fact_failed(gated, tuned, untuned, message) -> None:
    with pytest.raises(CertificationError, match=message):
        certify.certify_answers(gated, tuned, untuned)


def test_certify_counts_the_layers_that_had_the_adapter() -> None:
    certify.require_all_modules(13, 13)
    with pytest.raises(CertificationError, match="to 12 layers, not to 13"):
        certify.require_all_modules(12, 13)
