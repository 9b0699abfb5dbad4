"""The fields of `adapter:`: layers, scale, the lengths of DoRA and words of their own, as PEFT has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from pydantic import ValidationError
from safetensors.torch import load_file
from test_full_training import CHATS, fit_job, train_decoder
from tiny_decoder import tiny_decoder
from transformers import AutoModelForCausalLM

from factory.api import Adapter, Artifact, Base, FitJob
from factory.api.training_args import BackendChoice
from factory.ml.cpu import backend as cpu
from factory.ml.hf import backend as hf
from factory.ml.kit import choose_backend, load_kit
from factory.ml.linear_layers import count_rank_parameters
from factory.stages.settings import choose_rank

WORD = "zyxw"


@pytest.fixture
def decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    for module in (cpu, hf):
        monkeypatch.setattr(module, "choose_inference_dtype", lambda: torch.float32)
    return tiny_decoder(tmp_path / "decoder")


def train(choice: BackendChoice, base: Base, folder: Path, **fields: Any) -> FitJob:
    settings = {"precision": "fp32", "learning_rate": 0.02}
    job = fit_job(base, folder, Adapter(rank=4, alpha=8, **fields), **settings)
    train_decoder(choice, job)
    return job


@torch.no_grad()
def answer_with_peft(job: FitJob, ids: list[int]) -> torch.Tensor:
    plain: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(job.base.folder), str(job.out))
    return plain(torch.tensor([ids])).logits[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "fields", [{"targets": ["q_proj", "mlp.up_proj"]}, {"rslora": True}], ids=["targets", "rslora"]
)
def test_both_backends_train_the_same_layers_at_the_same_scale(
    fields: dict[str, Any], decoder: Base, tmp_path: Path
) -> None:
    packed, plain = (train(name, decoder, tmp_path / name, **fields) for name in ("cpu", "hf"))  # type: ignore[arg-type]
    mine, theirs = (load_file(job.out / "adapter_model.safetensors") for job in (packed, plain))
    assert mine.keys() == theirs.keys()
    assert all((value - theirs[name]).abs().max() < 1e-3 for name, value in mine.items())
    layers = {name.split(".")[-3] for name in mine}
    assert layers == ({"q_proj", "up_proj"} if "targets" in fields else layers)
    assert len(mine) == (8 if "targets" in fields else 28)  # A and B in each of two blocks
    answered = load_kit("cpu").load_decoder(decoder, Artifact("adapter", packed.out, decoder))
    gap = answered.compute_token_logits(CHATS[:1])[0] - answer_with_peft(packed, CHATS[0])
    assert gap.abs().max() < 1e-4


def test_rslora_scales_by_the_root_of_the_rank() -> None:
    assert Adapter(rank=4, alpha=8).scale == 2.0
    assert Adapter(rank=4, alpha=8, rslora=True).scale == 4.0


def test_a_target_that_no_layer_has_is_refused_with_those_it_has(decoder: Base, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the base has no linear layer 'query'; it has down_proj, gate_proj, k_proj"):
        train("cpu", decoder, tmp_path / "x", targets=["query"])


@pytest.mark.parametrize("choice", ["cpu", "hf"])
def test_doras_merged_weights_are_pefts(choice: BackendChoice, decoder: Base, tmp_path: Path) -> None:
    job = train("auto", decoder, tmp_path / "dora", dora=True)
    saved = load_file(job.out / "adapter_model.safetensors")
    lengths = {name: value for name, value in saved.items() if "magnitude" in name}
    start = AutoModelForCausalLM.from_pretrained(decoder.folder).state_dict()
    assert len(lengths) == 14
    for name, value in lengths.items():
        layer = name.removeprefix("base_model.model.").replace(".lora_magnitude_vector", ".weight")
        assert 0 < (value - start[layer].norm(dim=1)).abs().max() < 0.5, "it starts at the lengths of the base"
    answered = load_kit(choice).load_decoder(decoder, Artifact("adapter", job.out, decoder))
    for ids in CHATS:
        assert (answered.compute_token_logits([ids])[0] - answer_with_peft(job, ids)).abs().max() < 1e-4


def test_the_packed_kernels_refuse_what_they_cannot_train_and_auto_says_why(decoder: Base, tmp_path: Path) -> None:
    job = train("auto", decoder, tmp_path / "auto", dora=True)
    note = job.report.notes[0]  # type: ignore[attr-defined]
    assert "training with the backend 'hf'" in note
    assert note.endswith(": the packed kernels do not train the lengths of DoRA")
    for adapter in (Adapter(dora=True), Adapter(trainable_tokens=["x"]), Adapter(kind="qlora")):
        with pytest.raises(ValueError, match=r"backend is cpu, but the packed kernels do not .*; use auto or hf"):
            choose_backend("cpu", decoder.folder, causal=True, adapter=adapter)
    assert choose_backend("cpu", decoder.folder, causal=True, adapter=Adapter(kind="full")).name == "cpu"


@pytest.mark.parametrize("choice", ["cpu", "hf"])
def test_a_new_word_is_one_token_that_plain_peft_reads(choice: BackendChoice, decoder: Base, tmp_path: Path) -> None:
    adapter = Adapter(rank=4, trainable_tokens=[WORD])
    job = fit_job(decoder, tmp_path / "words", adapter, learning_rate=0.02, epochs=8, precision="fp32")
    kit: Any = load_kit("auto", (WORD,))
    tokenizer = kit.load_decoder(decoder).tokenizer
    (word,) = tokenizer(WORD)["input_ids"]
    assert word == len(load_kit("auto").load_decoder(decoder).tokenizer) == len(tokenizer) - 1
    ids, before = [[0, 40, word, 50, word, 1]], load_file(decoder.folder / "model.safetensors")
    learner = kit.create_learner(job, causal=True)
    start = learner.model.get_input_embeddings().weight[word].clone()
    known = load_kit("auto").load_decoder(decoder).tokenizer(WORD)["input_ids"]
    parts = before["model.embed_tokens.weight"][known].mean(0)
    assert len(known) == 4 and torch.allclose(start, parts, atol=1e-6), "it starts as the mean of its parts"

    def compute_loss(model: Any, batch: Any) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(*kit.compute_completion_logits(model, batch))

    kit.fit(
        learner, ids, lambda texts: kit.build_completion_batch(texts, [2 for _ in texts]), compute_loss, job,
        task_type="CAUSAL_LM",
    )
    saved = load_file(job.out / "adapter_model.safetensors")
    (learnt,) = (value for name, value in saved.items() if "trainable_tokens_delta" in name)
    assert learnt.shape == (1, 48) and (learnt[0] - parts).abs().max() > 0.01
    assert (job.out / "adapter_model.safetensors").stat().st_size < 200_000, "one row, not the whole table"
    config = job.out / "adapter_config.json"
    config.write_text(config.read_text().replace('"tiny/decoder"', f'"{decoder.folder}"'))
    plain: Any = AutoPeftModelForCausalLM.from_pretrained(str(job.out))
    answered = load_kit(choice).load_decoder(decoder, Artifact("adapter", job.out, decoder))
    assert answered.tokenizer(WORD)["input_ids"] == [word]
    ours = answered.compute_token_logits(ids)[0]
    with torch.no_grad():
        theirs = plain(torch.tensor(ids)).logits[0]
    assert ours.shape == theirs.shape and (ours - theirs).abs().max() < 1e-4


def test_the_rank_covers_the_tokens_by_hand(decoder: Base) -> None:
    # A block of width 48: q 48+48, k and v 48+24 each, o 48+48, gate and up 48+96 each, down 96+48; two blocks.
    assert count_rank_parameters(decoder.folder, "all-linear") == 2 * (96 + 72 + 72 + 96 + 144 + 144 + 144) == 1536
    assert count_rank_parameters(decoder.folder, ["k_proj"]) == 2 * 72
    for tokens, rank in ((1, 8), (8 * 1536, 8), (8 * 1536 + 1, 16), (100 * 1536, 128), (10**9, 256)):
        choice = choose_rank(tokens, 1536)
        assert (choice.field, choice.value, choice.is_limit) == ("adapter.rank", rank, tokens == 10**9)
        assert f"{rank * 1536:,} parameters, for {tokens:,} tokens of completions" in choice.reason
    assert choose_rank(0, 0).value == 32, "an encoder has no completions"


@pytest.mark.parametrize(("fields", "said"), [
    ({"kind": "full", "rank": 8}, "rank is no field of `kind: full`, which takes save; remove it"),
    ({"kind": "head", "save": "bf16"}, "save is no field of `kind: head`, which has no other fields; remove it"),
    ({"kind": "lora", "serve_precision": "bf16"}, "serve_precision is no field of `kind: lora`, which takes rank, "),
    ({"kind": "qlora", "dora": True}, "dora is no field of `kind: qlora`, which takes rank, alpha, "),
])
def test_a_field_of_another_kind_is_refused_in_a_line(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        Adapter(**fields)
