"""What a spec says of `adapter:`: its kinds, what follows from them, and what is refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from house_parts import VOICE
from tiny_retrieval import SPEC

from factory.api.spec_block import compute_fields_identity
from factory.api.training_args import AdapterBlock
from factory.errors import SpecError
from factory.plan.compiler import compile_plan
from factory.plan.settings_stage import iterate_auto_fields
from factory.registry.registry import Registry
from factory.spec.layers import ResolvedSpec, resolve_spec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec of a voice and one of a reranker, whose files are empty: nothing is run."""
    folder = tmp_path_factory.mktemp("specs")
    for name in ("base", "other"):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps({"model_type": name}))
        (folder / name / "model.safetensors").write_bytes(b"")
    for name in ("corpus", "queries", "qrels"):
        (folder / f"{name}.jsonl").write_text("{}\n")
    (folder / "voice.yaml").write_text(VOICE)
    (folder / "ranker.yaml").write_text(SPEC.replace("adapter: {rank: 4}\n", ""))
    return folder


def resolve(folder: Path, name: str, *overrides: str) -> ResolvedSpec:
    return resolve_spec(folder / f"{name}.yaml", overrides=overrides, registry=Registry.load())


def list_problems(folder: Path, name: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        resolve(folder, name, *overrides)
    return [problem.message for problem in caught.value.problems]


def find_values(resolved: ResolvedSpec) -> dict[str, tuple[Any, str]]:
    return {value.path: (value.value, value.origin) for value in resolved.values}


def test_a_lora_adds_nothing_to_the_keys_that_it_had(tmp_path: Path) -> None:
    assert compute_fields_identity(AdapterBlock(rank=32), tmp_path) == {"rank": 32, "alpha": 32.0, "dropout": 0.0}


def test_a_rank_is_left_to_the_rows_unless_the_spec_names_it(folder: Path) -> None:
    assert "adapter.rank" in {*iterate_auto_fields(resolve(folder, "voice"))}
    named = resolve(folder, "voice", "adapter.rank=16")
    assert "adapter.rank" not in {*iterate_auto_fields(named)}
    plans = [compile_plan(each)["settings"].config for each in (resolve(folder, "voice"), named)]
    assert plans[0]["adapter"] == {"rank": "auto", "targets": "all-linear"} and "adapter" not in plans[1]
    assert "adapter.rank" not in {*iterate_auto_fields(resolve(folder, "voice", "adapter.kind=full"))}


def test_all_weights_learn_at_a_tenth_of_the_rate_beside_a_probe_and_resolved_says_so(folder: Path) -> None:
    values = find_values(resolve(folder, "voice", "adapter.kind=full"))
    assert values["train.learning_rate"] == (1e-4, "adapter.kind: full")
    assert values["evaluate[0].kind"] == ("voice", "task")
    assert values["evaluate[1].kind"] == ("general", "adapter.kind: full")
    assert values["targets"] == ([], "adapter.kind: full")
    assert "adapter.rank" not in values and values["adapter.save"] == ("fp32", "default")
    usual = find_values(resolve(folder, "voice"))
    assert usual["train.learning_rate"] == (1e-3, "task") and "evaluate[1].kind" not in usual


def test_what_the_spec_itself_says_stays(folder: Path) -> None:
    own = ("adapter.kind=full", "train.learning_rate=0.003", "evaluate=[voice]", "targets=[]")
    values = find_values(resolve(folder, "voice", *own))
    assert values["train.learning_rate"] == (0.003, "command line") and "evaluate[1].kind" not in values
    ranker = find_values(resolve(folder, "ranker", "adapter.kind=full"))
    assert "evaluate[1].kind" not in ranker, "the probe asks questions, which no encoder answers"
    assert find_values(resolve(folder, "ranker", "adapter.kind=head", "objective=cross-encoder"))[
        "train.learning_rate"] == (1e-3, "task"), "a head learns as beside an adapter"


@pytest.mark.parametrize(("name", "overrides", "said"), [
    ("voice", ["adapter.kind=head"], "the objective 'completion' has no new head to train; use lora, qlora or full"),
    ("ranker", ["adapter.kind=qlora"], "qlora is for generative bases; 'late-interaction' trains an encoder: use lora"),
    ("ranker", ["adapter.trainable_tokens=[ADR]"], "words are learnt by generative bases; 'late-interaction'"),
    ("voice", ["adapter.kind=full", "train.precision=bf16"], "`kind: full` trains in fp32; remove this field"),
    ("voice", ["adapter.dora=true", "train.backend=cpu"], "dora needs the backend hf; use auto or hf"),
    ("voice", ["adapter.kind=full", "adapter.rank=8"], "rank is no field of `kind: full`, which takes save; remove it"),
    ("voice", ["adapter.kind=full", "targets=[peft]"], "peft loads adapters, not weights; the bundle itself loads"),
    ("voice", ["adapter.kind=full", "targets=[merged]"], "only an adapter can be merged, not weights"),
    ("voice", ["adapter.kind=qlora", "targets=[merged]"], "merged into 4-bit layers, the update would be rounded"),
    ("voice", ["adapter.dora=true", "targets=[vllm]"], "vLLM does not load adapters with dora; remove adapter.dora"),
    ("voice", ["targets=[vllm]"], "rank 256 exceeds max_lora_rank, which is 16; raise it, or lower adapter.rank"),
    ("ranker", ["targets=[vllm]"], "rank 32 exceeds max_lora_rank, which is 16"),
    ("voice", ["adapter.kind=lorra"], "expected 'lora', 'qlora', 'full' or 'head', got 'lorra'; did you mean 'lora'?"),
], ids=lambda value: None if isinstance(value, list) else str(value)[:24])
def test_what_cannot_be_trained_or_served_is_refused_in_a_line(
    folder: Path, name: str, overrides: list[str], said: str
) -> None:
    (problem,) = list_problems(folder, name, *overrides)
    assert problem.startswith(said), problem


def test_qlora_says_what_it_saves(folder: Path) -> None:
    said = "qlora saves memory, as the base has 4 bits a weight; on a CPU it saves no time"
    assert compile_plan(resolve(folder, "voice", "adapter.kind=qlora")).notes == (said,)
    assert compile_plan(resolve(folder, "voice")).notes == ()
