"""Whether a plugin keeps its contract: each check says what is wrong and what to do about it."""

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
    """One promise that a plugin does not keep: the check's name, and the reason with its remedy."""

    check: str
    reason: str

    def __str__(self) -> str:
        return f"{self.check}: {self.reason}"


def assert_conforms(kind: type[Plugin], case: Case | None = None, *, record: Path | None = None) -> None:
    """Raise AssertionError that lists all that is wrong with a plugin class. `record` is a file that remembers outputs,
    so that one which changes under the same `version` is noticed.
    """
    found = find_faults(kind, case, record=record)
    assert not found, f"{kind.__name__} does not conform:\n" + "\n".join(f"  {fault}" for fault in found)


def find_faults(kind: type[Plugin], case: Case | None = None, *, record: Path | None = None) -> list[Fault]:
    """All that is wrong with a plugin class: as a class, as it is imported, and as it behaves."""
    case = case or Case()
    static = [Fault(check, reason) for check, reason in class_checks.find_class_faults(kind, case.fields)]
    light = class_checks.find_import_faults(kind, measure_import(kind.__module__, paths=sys.path))
    found = static + [Fault(check, reason) for check, reason in light]
    if any(fault.check in ("made", "class", "loads") for fault in found):
        return found
    seen = observe_plugin(kind, case)
    return found + find_trial_faults(kind, case, seen) + compare_with_record(kind, case, seen, record)


def find_trial_faults(kind: type[Plugin], case: Case, seen: tuple[Observation, Observation]) -> list[Fault]:
    """What the two trials say against a plugin."""
    one, other = seen
    for name, check in (("ended", "ends well"), ("raised", "runs"), ("off", "contract")):
        if name in one:
            return [Fault(check, _add_case_hint(check, one[name]))]
    if "model" in one:
        return []
    found = list(_find_behaviour_faults(one))
    if one["same"] and one["digest"] != other.get("digest"):
        found.append(Fault("deterministic", "its output depends on PYTHONHASHSEED; sort what comes out of a set"))
    return found + [Fault("columns", reason) for reason in class_checks.find_column_faults(kind, case.fields, one)]


def _add_case_hint(check: str, said: str) -> str:
    return f"{said} (give it a Case with the rows, files or fields that it needs)" if check == "runs" else said


def _find_behaviour_faults(one: Observation) -> list[Fault]:
    reasons = {
        "mutated": "it changes the rows or tables that it is lent; use row.having(…), or work on a copy",
        "unlike": "two runs with the same seed give different outputs; draw from random.Random(job.seed)",
        "kept": "a run that was broken off changes the next one; keep nothing on the class, the module or the disk",
        "poor": f"on rows that it can not use it raises {one['poor']}; raise ValueError, or let the KeyError through",
    }
    wrong = {
        "mutated": one["mutated"], "unlike": not one["same"], "kept": one["same"] and not one["resumed"],
        "poor": bool(one["poor"]),
    }
    names = {"mutated": "leaves its input", "unlike": "deterministic", "kept": "resumable", "poor": "plain errors"}
    return [Fault(names[name], reasons[name]) for name, is_wrong in wrong.items() if is_wrong]


def compare_with_record(kind: type[Plugin], case: Case, seen: tuple[Observation, Observation], file: Path | None) -> list[Fault]:
    """Compare an output with what a file remembers, or have the file remember it. A newer version may differ."""
    if file is None or "digest" not in seen[0] or class_checks.is_model_plugin(kind):
        return []
    known = json.loads(file.read_text()) if file.is_file() else {}
    name = f"{kind.role} {kind.kind}"
    now = {"version": kind.version, "output": seen[0]["digest"][:16]}
    before = known.get(name)
    if before == now:
        return []
    if before and before["version"] == kind.version:
        reason = f"its output changed and version is still {kind.version}; bump it, for it is part of every key"
        return [Fault("version", f"{reason} (or, if the case changed, take {name!r} out of {file.name})")]
    file.write_text(json.dumps({**known, name: now}, indent=1, sort_keys=True) + "\n")
    return []


def assert_builds(kind: type[Plugin], case: Case | None = None) -> str:
    """Run a plugin in a real build, in a worker, to a verdict, and again from the cache; returns the verdict.

    Raises AssertionError with what the build said. Its rows are the case's, its task the kit's own for the form of
    answers; an objective learns on a random model of two layers.
    """
    return run_conformance_build(kind, case or Case())


def build_conformance_suite(
    module: str | Sequence[type[Plugin]], cases: Mapping[str, Case] | None = None, *, record: Path | None = None
) -> Callable[..., None]:
    """A test function, parametrised over every class of a plugin module (or of a list) and what is to be shown of it.

    `cases` are by kind. Assign it to a name that pytest collects: `test_conforms = suite("my_package")`.
    """
    import pytest

    kinds = class_checks.load_plugin_classes(module) if isinstance(module, str) else list(module)
    given = cases or {}

    @pytest.mark.parametrize("kind", kinds, ids=lambda kind: f"{kind.role}-{kind.kind}")
    @pytest.mark.parametrize("shown", ["conforms", "builds"])
    def test(kind: type[Plugin], shown: str) -> None:
        case = given.get(kind.kind, Case())
        if shown == "conforms":
            assert_conforms(kind, case, record=record)
        else:
            assert_builds(kind, case)

    return test
