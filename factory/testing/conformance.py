"""Conformance of a plugin to the contract: each fault names the check, the problem and the remedy."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.api import Plugin
from factory.testing import class_checks
from factory.testing.case import Case
from factory.testing.conformance_builds import run_conformance_build
from factory.testing.hash_seeds import Observation, observe_plugin
from factory.testing.import_cost import measure_import


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed check: its name, and the reason with a remedy."""

    check: str
    reason: str

    def __str__(self) -> str:
        return f"{self.check}: {self.reason}"


def assert_conforms(kind: type[Plugin], case: Case | None = None, *, record: Path | None = None) -> None:
    """Raise AssertionError that lists all faults of a plugin class. `record` is a JSON file of earlier outputs, to
    detect an output that changes while `version` does not.
    """
    faults = find_faults(kind, case, record=record)
    assert not faults, f"{kind.__name__} does not conform:\n" + "\n".join(f"  {fault}" for fault in faults)


def find_faults(kind: type[Plugin], case: Case | None = None, *, record: Path | None = None) -> list[Fault]:
    """Return all faults of a plugin class: of its definition, its import and its behaviour."""
    case = case or Case()
    reasons = [*class_checks.find_class_faults(kind, case.fields)]
    reasons += class_checks.find_import_faults(kind, measure_import(kind.__module__, paths=sys.path))
    faults = [Fault(check, reason) for check, reason in reasons]
    if any(fault.check in ("made", "class", "loads") for fault in faults):
        return faults  # it can not be run
    observations = observe_plugin(kind, case)
    return faults + find_trial_faults(kind, case, observations) + compare_with_record(kind, case, observations, record)


def find_trial_faults(kind: type[Plugin], case: Case, observations: tuple[Observation, Observation]) -> list[Fault]:
    """Return the faults that show in the two trials of a plugin, under two hash seeds."""
    first, second = observations
    if "raised" in first:
        return [Fault("runs", f"{first['raised']} (pass a Case with the rows, files or fields that it needs)")]
    for name, check in (("ended", "ends well"), ("violation", "contract")):
        if name in first:
            return [Fault(check, first[name])]
    if "needs_model" in first:
        return []
    faults = _find_behaviour_faults(first)
    if first["same"] and first["digest"] != second.get("digest"):
        faults.append(Fault("deterministic", "its output depends on PYTHONHASHSEED; sort the elements of sets"))
    return faults + [Fault("columns", reason) for reason in class_checks.find_column_faults(kind, case.fields, first)]


def _find_behaviour_faults(observed: Observation) -> list[Fault]:
    error = observed["unexpected_error"]
    checks = (
        (observed["mutated"], "leaves its input",
         "it modifies the rows or tables of its job; use row.with_columns(…), or work on a copy"),
        (not observed["same"], "deterministic",
         "two runs with the same seed give different outputs; use random.Random(job.seed)"),
        (observed["same"] and not observed["resumed"], "resumable",
         "an interrupted run changes the next one; keep no state on the class, in the module or on disk"),
        (bool(error), "plain errors",
         f"on rows without usable values it raises {error}; raise ValueError, or do not catch the KeyError"),
    )
    return [Fault(check, reason) for failed, check, reason in checks if failed]


def compare_with_record(
    kind: type[Plugin], case: Case, observations: tuple[Observation, Observation], file: Path | None
) -> list[Fault]:
    """Compare an output with the record file, and add it if the kind or its version is new."""
    if file is None or "digest" not in observations[0] or class_checks.is_model_plugin(kind):
        return []
    known = json.loads(file.read_text()) if file.is_file() else {}
    name = f"{kind.role} {kind.kind}"
    now = {"version": kind.version, "output": observations[0]["digest"][:16]}
    before = known.get(name)
    if before == now:
        return []
    if before and before["version"] == kind.version:
        reason = f"its output changed but version is still {kind.version}; bump it, it is part of every key"
        return [Fault("version", f"{reason} (or, if the case changed, remove {name!r} from {file.name})")]
    file.write_text(json.dumps({**known, name: now}, indent=1, sort_keys=True) + "\n")
    return []


def assert_builds(kind: type[Plugin], case: Case | None = None) -> str:
    """Run a plugin in a real build with a worker, and again from the cache; return the verdict.

    Rows and fields come from the case, the task is the kit's own for the output type; an objective trains a random
    model of two layers. Raises AssertionError with the error of the build.
    """
    return run_conformance_build(kind, case or Case())


def build_conformance_suite(
    module: str | Sequence[type[Plugin]], cases: Mapping[str, Case] | None = None, *, record: Path | None = None
) -> Callable[..., None]:
    """Return a pytest function that checks conformance and a real build of every class of a module (or list).

    `cases` are by kind. Assign it to a name that pytest collects: `test_conforms = build_conformance_suite("package")`.
    """
    import pytest

    kinds = class_checks.load_plugin_classes(module) if isinstance(module, str) else list(module)

    @pytest.mark.parametrize("kind", kinds, ids=lambda kind: f"{kind.role}-{kind.kind}")
    @pytest.mark.parametrize("check", ["conforms", "builds"])
    def test(kind: type[Plugin], check: str) -> None:
        case = (cases or {}).get(kind.kind, Case())
        if check == "conforms":
            assert_conforms(kind, case, record=record)
        else:
            assert_builds(kind, case)

    return test
