"""The certificate of texts: a bundle passes with the judged model's adapter alone, whatever the precision."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_decoder import tiny_decoder
from transformers import AutoModelForCausalLM

from factory import bundle
from factory.api import Artifact, Base, ModelJob, NoOpReporter, Provenance, Row, ScoredAnswer, TokenLogprob
from factory.bundle.golden import GOLDEN_FILE, write_golden
from factory.bundle.manifest import write_manifest
from factory.data.rows import read_json, read_jsonl, write_json, write_jsonl
from factory.errors import CertificationError
from factory.ml import kit
from factory.ml.cpu import backend
from factory.registry.registry import Registry
from factory.stages import certify
from factory.stages.certify_child import answer_golden_rows
from factory.stages.certify_texts import TextEvidence, certify_texts, compute_log_odds
from factory.stages.job import ARTIFACT_FOLDER, StageJob
from factory_objectives.completion import Completion
from factory_rewrite.task import QueryRewriter

WORDS = ["sun", "moon", "star", "sky", "sea", "air", "hill", "lake"]
ROWS = [Row(f"q{n}", {"conversation": f"Q: where is the {word}?"}, Provenance("here")) for n, word in enumerate(WORDS)]
ALPHA, MODULES = 8, 14


def write_adapter(base: Base, folder: Path, seed: int) -> Path:
    """A random adapter on all layers, as peft itself writes it."""
    torch.manual_seed(seed)
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(
        r=4, lora_alpha=ALPHA, target_modules=layers, init_lora_weights=False, task_type="CAUSAL_LM"
    )
    get_peft_model(AutoModelForCausalLM.from_pretrained(base.folder), config).save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    write_json(folder.parent / "train.json", {"artifact": "adapter"})
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("base")
    write_json(folder / "base.json", {"id": "tiny/decoder", "revision": "0", "digest": "tiny", "licence": "CC0-1.0"})
    return tiny_decoder(folder / "model")


@pytest.fixture(scope="module")
def adapter(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_adapter(base, tmp_path_factory.mktemp("train") / ARTIFACT_FOLDER, seed=1)


@pytest.fixture(scope="module")
def judged(base: Base, adapter: Path) -> tuple[Base, Path]:
    return base, adapter


@pytest.fixture(scope="module")
def built(base: Base, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with the adapter, the tokenizer, and what the judged model answered."""
    folder = tmp_path_factory.mktemp("built") / "bundle"
    shutil.copytree(base.folder, folder, ignore=shutil.ignore_patterns("config.json", "*.safetensors"))
    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    asked = ModelJob(
        seed=7, report=NoOpReporter(), root=Path(), kit_loader=kit.load_kit, rows=ROWS, base=base,
        task=QueryRewriter(), artifact=Artifact("adapter", adapter, base),
    )
    answers = {answer.id: answer.output for answer in Completion(max_new_tokens=12).answer(asked)}
    write_golden(folder, ROWS, {}, answers)
    return folder


def seal(folder: Path) -> None:
    (folder / bundle.manifest.MANIFEST_FILE).unlink(missing_ok=True)
    write_manifest(folder, {"modules": MODULES})


def rename_base(folder: Path, name: str) -> None:
    config = read_json(folder / "adapter_config.json")
    write_json(folder / "adapter_config.json", {**config, "base_model_name_or_path": name})


def certify_bundle(folder: Path, base: Base, adapter: Path) -> dict[str, Any]:
    out = folder.parent / "out"
    (out / "work").mkdir(parents=True)
    inputs = {"base": base.folder.parent, "train": adapter.parent, "bundle": folder}
    config = {
        "task": {"kind": "query-rewriter"}, "objective": {"kind": "completion", "max_new_tokens": 12}, "seed": 7,
    }
    certify.run(StageJob("certify", config, inputs, out, out / "work", out, out, NoOpReporter(), Registry.load([])))
    facts: dict[str, Any] = read_json(out / "certify.json")
    return facts


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the plain library answer in this process: its imports alone take seconds."""

    def answer(job: StageJob, folder: Path) -> Any:
        facts = {"id": "tiny/decoder", "revision": "0", "digest": "tiny", "licence": "CC0-1.0"}
        request = {
            "config": dict(job.config), "bundle": str(folder), "base": str(job.load_base().folder),
            "base_facts": facts, "root": str(job.root),
        }
        return json.loads(json.dumps(answer_golden_rows(request, job.registry)))

    monkeypatch.setattr(certify, "_answer_in_fresh_process", answer)


@pytest.fixture
def copied(built: Path, base: Base, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(built, tmp_path / "copy"))
    rename_base(folder, str(base.folder))
    return folder


def test_a_fresh_process_scores_the_answers_alike(built: Path, judged: tuple[Base, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built, tmp_path / "copy"))
    rename_base(folder, "tiny/decoder")
    seal(folder)
    facts = certify_bundle(folder, *judged)
    assert facts["passed"] and facts["modules"] == MODULES and facts["library"] == "peft:AutoPeftModelForCausalLM"
    assert facts["tokens"] >= len(ROWS)
    assert facts["mean_difference"] < 0.2 < facts["change"]


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-3), (torch.bfloat16, 0.2)])
def test_both_precisions_of_the_judged_model_pass(
    copied: Path, judged: tuple[Base, Path], here: None, dtype: torch.dtype, limit: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backend, "choose_inference_dtype", lambda: dtype)
    kit._load_decoder_once.cache_clear()
    seal(copied)
    assert certify_bundle(copied, *judged)["mean_difference"] < limit
    kit._load_decoder_once.cache_clear()


def change_config(**changes: Any) -> Callable[[Path, Base], None]:
    def change(folder: Path, base: Base) -> None:
        config = read_json(folder / "adapter_config.json")
        write_json(folder / "adapter_config.json", {**config, **changes})

    return change


def lose_adapter(folder: Path, base: Base) -> None:
    """Names that peft does not know: it warns and leaves the adapter without effect."""
    change_config(init_lora_weights=True)(folder, base)
    file = folder / "adapter_model.safetensors"
    save_file({name.replace("layers", "layer"): value for name, value in load_file(file).items()}, file)


def swap_adapter(folder: Path, base: Base) -> None:
    other = write_adapter(base, folder.parent / "other", seed=2)
    shutil.copyfile(other / "adapter_model.safetensors", folder / "adapter_model.safetensors")


def lose_layer(folder: Path, base: Base) -> None:
    file = folder / "adapter_model.safetensors"
    save_file({name: value * (".layers.1." not in name) for name, value in load_file(file).items()}, file)


def change_template(folder: Path, base: Base) -> None:
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text().replace("assistant", "bot"))


def change_tokenizer(folder: Path, base: Base) -> None:
    """Two letters that every answer may have change places in the vocabulary."""
    file = folder / "tokenizer.json"
    raw = read_json(file)
    vocabulary = raw["model"]["vocab"]
    last = max(vocabulary.values())
    raw["model"]["vocab"] = {token: last + 2 - place if place > 1 else place for token, place in vocabulary.items()}
    write_json(file, raw)


def change_answers(folder: Path, base: Base) -> None:
    """Answers of another model than the judged one: both score them alike, but neither would write them."""
    lines = list(read_jsonl(folder / GOLDEN_FILE))
    write_jsonl(folder / GOLDEN_FILE, [{**line, "output": "the end"} for line in lines])


FIGURES = r"row 'q\d', token \d+ \('.*'\): log-probability -\d+\.\d{4} by the bundle, -\d+\.\d{4} by the judged model"


@pytest.mark.parametrize(
    ("corrupt", "message"),
    [
        (lose_adapter, "the adapter does not change the answers"),
        (swap_adapter, FIGURES + r"; log-odds differ by \d+\.\d+, over 3.0"),
        (change_config(lora_alpha=2 * ALPHA), FIGURES + r"; log-odds differ by"),
        (lose_layer, FIGURES + r"; log-odds differ by"),
        (change_template, FIGURES + r"; log-odds differ by"),
        (change_config(target_modules=["q_proj", "v_proj"]), f"to 4 layers, not to {MODULES}"),
        (change_tokenizer, r"row 'q\d': the bundle's tokenizer splits the answer as"),
        (change_answers, r"not decode [3-8] of 8 judged answers: row 'q\d', token \d: '.*' \(log-probability -.*\), "),
    ],
    ids=["lost", "other", "alpha", "layer", "template", "modules", "tokenizer", "answers"],
)
def test_every_corruption_is_told_by_row_token_and_figures(
    copied: Path, judged: tuple[Base, Path], here: None, corrupt: Any, message: str
) -> None:
    corrupt(copied, judged[0])
    seal(copied)
    with pytest.raises(CertificationError) as error:
        certify_bundle(copied, *judged)
    assert re.search(message, str(error.value)), error.value


def scored(*logprobs: float, texts: str = "abcdefgh") -> ScoredAnswer:
    tokens = zip(texts, logprobs, strict=False)
    return ScoredAnswer("q", tuple(TokenLogprob(ord(text), text, value) for text, value in tokens))


def test_log_odds_weigh_likely_and_unlikely_tokens_alike() -> None:
    assert compute_log_odds(-0.6931471805599453) == pytest.approx(0.0)
    for logit in (-6.0, 0.0, 6.0):
        before, after = (torch.tensor([value, 0.0]).log_softmax(-1)[0].item() for value in (logit, logit + 0.5))
        assert compute_log_odds(after) - compute_log_odds(before) == pytest.approx(0.5, abs=1e-3)


def test_a_weak_adapter_passes_only_where_it_is_nearer_than_the_base() -> None:
    judged, greedy = [scored(-1.00, -1.00)], [scored(-1.0, -1.0)]
    passed = certify_texts(TextEvidence(judged, [scored(-1.01, -1.0)], [scored(-1.05, -1.0)], greedy))
    assert passed["mean_difference"] < passed["change"] < passed["mean_tolerance"]
    with pytest.raises(CertificationError, match="the untuned base is nearer to the bundle"):
        certify_texts(TextEvidence(judged, [scored(-1.04, -1.0)], [scored(-1.05, -1.0)], greedy))


def test_a_near_tie_may_go_either_way() -> None:
    answers = [scored(-0.1, -2.9, -0.2)]
    untuned = [scored(-2.0, -2.0, -2.0)]
    tied = [scored(-0.1, -1.9, -0.3, texts="axy")]
    assert certify_texts(TextEvidence(answers, answers, untuned, tied))["near_ties"] == 1
    parted = [scored(-0.1, -0.06, -0.3, texts="axy")]
    four = TextEvidence(answers * 4, answers * 4, untuned * 4, [*answers * 2, *tied, *parted])
    facts = certify_texts(four)
    assert (facts["near_ties"], facts["parted"]) == (1, 1)
    with pytest.raises(CertificationError, match=r"row 'q', token 2: 'x' \(log-probability -0.06\d*\), not 'b' \(-2.9"):
        certify_texts(TextEvidence(answers * 4, answers * 4, untuned * 4, [*answers * 2, *parted * 2]))
