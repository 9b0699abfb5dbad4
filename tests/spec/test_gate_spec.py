"""The gate's rules in a spec: what is checked, which keys they enter, and that a build obeys them."""

from pathlib import Path

import pytest
from classify_parts import project

from factory.api.spec_block import compute_fields_identity
from factory.errors import SpecError
from factory.plan.builder import Stage
from factory.plan.compiler import compile_plan
from factory.registry.registry import Registry
from factory.spec.fields import Gate
from factory.spec.layers import resolve_spec

GERMAN = "gate.guards=[{slice: label=card, within: 0.05}]"


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("classifier"))


def stages(spec: Path, *overrides: str) -> dict[str, Stage]:
    resolved = resolve_spec(spec, overrides=overrides, registry=Registry.load())
    return {stage.name: stage for stage in compile_plan(resolved).stages}


def changed(spec: Path, *overrides: str) -> set[str]:
    before, after = stages(spec), stages(spec, *overrides)
    return {name for name in after if after[name].key != before[name].key}


def test_a_gate_without_rules_has_the_key_that_it_had(spec: Path) -> None:
    old = {"metric": "", "margin": 0.0, "confidence": 0.95, "resamples": 10_000, "seed": 7}
    assert compute_fields_identity(Gate(), spec.parent) == old
    assert "task" not in stages(spec)["gate"].config and "total" not in stages(spec)["score"].config


def test_a_rule_changes_what_decides_and_trains_nothing_anew(spec: Path) -> None:
    later = {"gate", "bundle", "certify"}
    for rule in ("gate.floor=0.5", "gate.guards=[{metric: brier, within: 0.1}]"):
        assert changed(spec, rule) == later
    ring = "contenders=[tuned, majority, prompted]"
    assert stages(spec, ring, "gate.target=0.9")["gate"].key != stages(spec, ring)["gate"].key
    # Slices are looked for before training, of which nothing depends on them.
    assert changed(spec, GERMAN) == {"preflight", *later}
    assert changed(spec, "gate.metric=macro_f1") == {"score", *later}
    assert changed(spec, "gate.match={contender: majority, within: 0.1}") == later
    # A time is measured only where it is asked for, of the two that are held against each other.
    timed = {"answer[tuned]", "answer[majority]", "look", "score", *later}
    assert changed(spec, "gate.match={contender: majority, within: 0.1, latency: 2}") == timed


def test_what_no_gate_can_judge_is_refused_with_its_place_and_a_remedy(spec: Path) -> None:
    def problem(*overrides: str) -> str:
        with pytest.raises(SpecError) as caught:
            stages(spec, *overrides)
        return str(caught.value)

    found = problem("gate.target=0.9")
    assert found.startswith("--set gate.target=0.9: no contender only prompts a model") and "'prompted'" in found
    found = problem("gate.guards=[{metric: macro_f1, within: 0.1}]")
    assert "gate.guards[0].metric: a guard needs a metric of rows, not one over all rows; known: accuracy" in found
    found = problem("gate.metric=macro_f1", "gate.guards=[{slice: label=card, within: 0.1}]")
    assert "gate.guards[0].metric: a guard needs a metric of rows" in found
    assert "did you mean 'macro_f1'?" in problem("gate.metric=macro_f")
    found = problem("gate.match={contender: majorty, within: 0.1, cost: 0.1}")
    assert "gate.match.contender: no contender 'majorty' to match; did you mean 'majority'?" in found
    assert "gate.match.cost: tuned runs on a machine whose price is not known; set gate.match.hourly" in found
    found = problem("contenders=[tuned, majority]", "gate.match={contender: majority, within: 0.1}")
    assert "'majority' is the only baseline, and would not be one to beat; add another, such as 'untuned'" in found
