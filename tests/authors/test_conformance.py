"""Every registered kind keeps the contract that a stranger's is held to."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance_cases import BOUND, CASES, LONG, SKIPPED, SMALL

from factory.api import Plugin
from factory.registry.registry import load_installed_registry
from factory.testing import Case, assert_builds, class_checks
from factory.testing.conformance import compare_with_record, find_trial_faults
from factory.testing.hash_seeds import Observation, observe_plugin, run_trials
from factory.testing.import_cost import measure_package_imports

RECORD = Path(__file__).parent / "conformance.json"
KINDS = [kind for kind in load_installed_registry().list_classes() if kind.kind not in SKIPPED]
LIGHT = [kind for kind in KINDS if kind.kind not in LONG]
FREE = [kind for kind in KINDS if kind.kind not in BOUND]
WHOLE = [kind for kind in FREE if kind.kind not in SMALL]
each = pytest.mark.parametrize("kind", FREE, ids=lambda kind: f"{kind.role}-{kind.kind}")


def case(kind: type[Plugin]) -> Case:
    return CASES.get(f"{kind.role} {kind.kind}", CASES.get(kind.kind, Case()))


@pytest.fixture(scope="module")
def seen() -> dict[type[Plugin], tuple[Observation, Observation]]:
    """What two fresh interpreters saw of every kind that needs no model."""
    return dict(zip(LIGHT, run_trials([(kind, case(kind)) for kind in LIGHT], models=False), strict=True))


@each
def test_a_class_says_what_it_is(kind: type[Plugin]) -> None:
    assert list(class_checks.find_class_faults(kind, case(kind).fields)) == []


@pytest.mark.parametrize("kind", LIGHT, ids=lambda kind: f"{kind.role}-{kind.kind}")
def test_a_kind_behaves(kind: type[Plugin], seen: dict[type[Plugin], tuple[Observation, Observation]]) -> None:
    found = find_trial_faults(kind, case(kind), seen[kind]) + compare_with_record(kind, case(kind), seen[kind], RECORD)
    assert found == [], "\n".join(map(str, found))


def test_no_package_of_ours_is_heavy_to_import() -> None:
    ours = [one for one in measure_package_imports() if one.package == "specialist-factory"]
    assert len(ours) >= 12
    assert {one.module: one.summary for one in ours if one.summary != "light"} == {}


@pytest.mark.slow
@each
def test_a_kind_behaves_with_models_too(kind: type[Plugin]) -> None:
    found = find_trial_faults(kind, case(kind), observe_plugin(kind, case(kind)))
    assert found == [], "\n".join(map(str, found))


@pytest.mark.slow
@pytest.mark.parametrize("kind", WHOLE, ids=lambda kind: f"{kind.role}-{kind.kind}")
def test_a_kind_builds(kind: type[Plugin]) -> None:
    assert assert_builds(kind, case(kind)) in {"SHIP", "NO_SHIP", "INSUFFICIENT_EVIDENCE", "PROMPTING_IS_ENOUGH"}
