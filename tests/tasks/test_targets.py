"""Targets: what each writes, and what it can not serve, in a sentence."""

from pathlib import Path

import pytest
import tiny_parts

from factory.api import Target
from factory.errors import InputError
from factory.stages import bundle as bundle_stage
from factory_targets.merged_model import MergedModelTarget
from factory_targets.peft import PeftTarget
from factory_targets.vllm import VllmTarget

DECODER = {"rank": 16, "heads": [], "loader": "peft:AutoPeftModelForCausalLM", "architecture": "LlamaForCausalLM"}


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tiny_parts.importable()
    return tiny_parts.stages(tmp_path_factory.mktemp("stages"))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, ""),
        ({"rank": 32}, "rank 32 exceeds max_lora_rank, which is 16"),
        ({"heads": ["reward"]}, "not reward"),
        ({"loader": "sentence_transformers:MultiVectorEncoder"}, "does not support late interaction"),
        ({"architecture": "BertModel"}, "does not support LoRA on BertModel"),
        ({"heads": ["classifier"], "architecture": "ModernBertForSequenceClassification"}, ""),
    ],
)
def test_vllm_says_what_it_can_not_serve(facts: dict, reason: str) -> None:
    said = VllmTarget().explain_refusal({**DECODER, **facts})
    assert (reason in said) if reason else said == ""


def test_a_refusal_needs_the_planned_facts_alone() -> None:
    assert VllmTarget(max_lora_rank=64).explain_refusal({"rank": 64}) == ""
    assert PeftTarget().explain_refusal({}) == ""


@pytest.mark.parametrize("target", [MergedModelTarget(), PeftTarget(), VllmTarget()], ids=lambda target: target.kind)
def test_a_target_for_adapters_refuses_whole_weights_in_a_line(target: Target) -> None:
    said = target.explain_refusal({"artifact": "weights", "heads": [], "loader": "transformers:AutoModelForCausalLM"})
    assert "not weights" in said and "the bundle itself" in said and len(said.splitlines()) == 1
    assert target.explain_refusal({**DECODER, "artifact": "adapter"}) == ""


def test_a_target_that_can_not_serve_stops_the_bundle(stages: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"target 'vllm': vLLM does not support LoRA on BertModel"):
        bundle_stage.run(tiny_parts.job(stages, tmp_path / "out", targets=[{"kind": "vllm"}]))


def test_the_merged_model_answers_as_the_adapter_does(stages: dict[str, Path], tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from tiny_bert import Tiny, TinyCosine

    from factory.api import ModelJob

    job = tiny_parts.job(stages, tmp_path / "out", targets=[{"kind": "merged"}, {"kind": "peft"}])
    bundle_stage.run(job)
    assert [path.name for path in (job.out / "exports").iterdir()] == ["merged"]
    rows = job.open_input_rows("freeze", "test.jsonl")[:1]
    asked = ModelJob(
        seed=7, report=job.report, root=tmp_path, tables=job.read_side_tables(), rows=rows, base=job.load_base(),
        task=Tiny(), artifact=job.load_artifact(),
    )
    said = next(iter(TinyCosine().answer(asked))).output
    model = SentenceTransformer(str(job.out / "exports" / "merged"))
    documents = [job.read_side_tables()["documents"][name]["text"] for name in rows[0]["candidates"]]
    merged = model.similarity(model.encode([rows[0]["query"]]), model.encode(documents))[0].tolist()
    assert merged == pytest.approx(said, abs=1e-5)


def test_vllm_writes_the_command_that_serves_the_bundle(tmp_path: Path) -> None:
    from factory.api import Base, ExportJob

    facts = {**DECODER, "name": "sql", "base": {"id": "org/small"}}
    base = Base(tmp_path, "org/small", "", "", "MIT")
    VllmTarget().export(ExportJob(
        seed=0, report=tiny_parts.Voice(), root=tmp_path, bundle=tmp_path, base=base, manifest=facts, out=tmp_path
    ))
    command = (tmp_path / "serve.sh").read_text()
    assert "vllm serve org/small --port 8000 --enable-lora --max-lora-rank 16" in command
    assert '--lora-modules sql="$here"' in command
