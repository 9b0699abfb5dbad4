"""What the kit loads: an adapter over its base, whole weights in its place, and nothing that is another base's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tiny_retrieval
import torch
from tiny_decoder import tiny_decoder
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from factory.api import Artifact, Base
from factory.ml.artifact_loading import locate_model_files
from factory.ml.kit import load_kit


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"))


def test_whole_weights_take_the_place_of_a_decoders_base(base: Base, tmp_path: Path) -> None:
    other = tiny_decoder(tmp_path / "weights", seed=1)
    ids = [[5, 6, 7, 8]]
    untuned = load_kit().load_decoder(base).compute_token_logits(ids)[0]
    tuned = load_kit().load_decoder(base, Artifact("weights", other.folder, base)).compute_token_logits(ids)[0]
    plain = AutoModelForCausalLM.from_pretrained(other.folder)(torch.tensor(ids)).logits[0]
    assert (tuned - plain).abs().max() < 0.05 * plain.abs().max()  # the kit may run in bfloat16
    assert (tuned - untuned).abs().max() > 0.3 * plain.abs().max()


def test_whole_weights_bring_the_head_of_an_encoder(tmp_path: Path) -> None:
    tiny_retrieval.base(tmp_path / "base")
    base = Base(tmp_path / "base", "tiny/bert", "1", "d" * 64, "MIT")
    torch.manual_seed(3)
    headed = AutoModelForSequenceClassification.from_pretrained(base.folder, num_labels=3).eval()
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    for saved in (headed, tokenizer):
        saved.save_pretrained(tmp_path / "weights")
    encoder = load_kit().load_encoder(base, Artifact("weights", tmp_path / "weights", base), labels=3)
    inputs = tokenizer("kalana mopiris", return_tensors="pt")
    said = encoder.compute_pair_logits([(inputs["input_ids"][0].tolist(), [0] * inputs["input_ids"].shape[1])])
    assert torch.allclose(said, headed(**inputs).logits, atol=1e-5)


def test_an_adapter_goes_over_the_base(base: Base, tmp_path: Path) -> None:
    assert locate_model_files(base, None) == (base.folder, None)
    assert locate_model_files(base, Artifact("adapter", tmp_path, base)) == (base.folder, tmp_path)


def test_another_bases_artifact_and_one_that_only_its_objective_reads_are_refused(base: Base, tmp_path: Path) -> None:
    other = replace(base, id="org/other", digest="other")
    with pytest.raises(ValueError, match="the artifact was trained from org/other, not from tiny/decoder"):
        load_kit().load_decoder(base, Artifact("weights", tmp_path, other))
    with pytest.raises(ValueError, match="the objective must load the 'head' itself"):
        load_kit().load_decoder(base, Artifact("head", tmp_path, base))


def test_an_artifact_knows_what_it_lacks(base: Base, tmp_path: Path) -> None:
    for kind in ("adapter", "weights", "head"):
        assert Artifact(kind, tmp_path, base).find_problem() == "fit wrote no .safetensors file to job.out"
    assert Artifact("prompt", tmp_path, base).find_problem() == "fit wrote no file to job.out"
    (tmp_path / "prompt.txt").write_text("Answer.")
    assert Artifact("prompt", tmp_path, base).find_problem() == ""
