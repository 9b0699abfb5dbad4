"""Why a stage would run: the word alone for a new spec, and no digest where the content of a file changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from factory.plan.builder import Plan, Stage
from factory.plan.explain import explain_plan, list_leaf_differences
from factory.store.outputs import Store


def build_plan(*stages: Stage) -> Plan:
    return Plan("mine", "classifier", stages)


def gather(key: str, identity: dict[str, Any]) -> Stage:
    return Stage("gather", {}, identity, {}, key)


def test_a_new_spec_says_missing_and_a_new_stage_of_an_old_one_says_so(tmp_path: Path) -> None:
    plan, store = build_plan(gather("a" * 32, {})), Store(tmp_path)
    assert [str(reason) for reason in explain_plan(plan, store, {})] == ["missing"]
    (reason,) = explain_plan(plan, store, {"base": {"key": "b", "identity": {}, "inputs": {}}})
    assert str(reason) == "missing: no earlier run of this spec had this stage"


def test_a_file_that_changed_is_told_without_its_digests(tmp_path: Path) -> None:
    before, after = ({"sources": [{"fields": {"file": letter * 64, "limit": size}}]} for letter, size in ("a1", "b2"))
    earlier = {"gather": {"key": "k", "identity": before, "inputs": {}}}
    (reason,) = explain_plan(build_plan(gather("c" * 32, after)), Store(tmp_path), earlier)
    assert str(reason) == "changed: sources[0].file: other content; sources[0].limit: 1 → 2"
    assert list_leaf_differences({"file": "a" * 64}, {"file": None}) == [f"file: {'a' * 57}… → nothing"]
