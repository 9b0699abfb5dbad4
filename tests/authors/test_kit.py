"""The conformance kit names what is wrong with a plugin, and finds nothing wrong with a good one."""

from __future__ import annotations

from pathlib import Path

import bad_heavy
import bad_insider
import bad_kinds as bad
import pytest

from factory.api import Plugin
from factory.testing import Case, assert_builds, assert_conforms, class_checks, create_trial, find_faults
from factory.testing.conformance import compare_with_record, find_trial_faults
from factory.testing.hash_seeds import run_trials

STATIC = [
    (bad.Open, "frozen", "makes it mutable"), (bad.Open, "closed", "hides typos in a spec"),
    (bad.Undescribed, "documented", "the field 'words' has no description"),
    (bad.Mute, "documented", "it has no docstring"),
    (bad.Unwritable, "schema", "its fields have no JSON Schema"),
    (bad.Older, "class", "Older is written for contract 0, this factory needs contract 2"),
    (bad.Misnamed, "class", "use lower-case letters, digits, dots and hyphens"),
    (bad_insider.Insider, "contract", "imports factory.stages.job, which is not a public API"),
]
BEHAVIOUR = [
    (bad.Idle, "columns", "declares the column 'label' but never reads it"),
    (bad.Secret, "columns", "reads the column 'label' but does not declare it"),
    (bad.Drawn, "deterministic", "two runs with the same seed give different outputs"),
    (bad.Hashed, "deterministic", "depends on PYTHONHASHSEED"),
    (bad.Remembering, "resumable", "an interrupted run changes the next one"),
    (bad.Changing, "leaves its input", "modifies the rows or tables of its job"),
    (bad.Leaving, "plain errors", "raises SystemExit: 3"),
    (bad.Ending, "ends well", "it ended the process (status 4)"),
    (bad.Hanging, "ends well", "did not finish within 2 s"),
    (bad.Silent, "contract", "without a reason"),
    (bad.Loose, "contract", "curate yielded str, expected Decision"),
    (bad.Promising, "contract", "output_columns has 'label', but the row 'a' has no such column"),
    (bad.Infinite, "contract", "score gave nan for 'worth' of row 'r0'; expected a finite number"),
    (bad.Short, "contract", "answer yielded 19 answers to 20 rows"),
    (bad.Certain, "contract", "is not a mapping of labels to probabilities that sum to 1"),
]
CASE = Case(timeout_seconds=2)


@pytest.fixture(scope="module")
def seen() -> dict[type[Plugin], list[str]]:
    """What the kit says against each of the misbehaving ones, all tried in one go."""
    kinds = [kind for kind, _, _ in BEHAVIOUR]
    found = run_trials([(kind, CASE if kind is bad.Hanging else Case()) for kind in kinds], models=False)
    return {
        kind: [str(fault) for fault in find_trial_faults(kind, Case(), one)] for kind,
        one in zip(kinds, found, strict=True)
    }


@pytest.mark.parametrize(("kind", "check", "reason"), STATIC, ids=lambda value: getattr(value, "__name__", None))
def test_a_class_that_is_wrong_is_told_why(kind: type[Plugin], check: str, reason: str) -> None:
    assert any(
        name == check and reason in said for name, said in class_checks.find_class_faults(kind, {})
    ), list(class_checks.find_class_faults(kind, {}))


@pytest.mark.parametrize(("kind", "check", "reason"), BEHAVIOUR, ids=lambda value: getattr(value, "__name__", None))
def test_a_plugin_that_misbehaves_is_told_why(
    kind: type[Plugin], check: str, reason: str, seen: dict[type[Plugin], list[str]]
) -> None:
    assert len(seen[kind]) == 1 and seen[kind][0].startswith(f"{check}: ") and reason in seen[kind][0], seen[kind]


def test_an_import_that_is_heavy_or_talks_is_told_why() -> None:
    said = [str(fault) for fault in find_faults(bad_heavy.Heavy)]
    assert said[0].startswith("light: importing it imports scipy; import them inside the methods")
    assert (
        said[1]
        == "silent: importing it prints 'thank you for using heavy\\n'; stdout is reserved for the output of commands"
    )


def test_a_good_plugin_has_no_faults_and_builds() -> None:
    assert_conforms(bad.Good)
    assert assert_builds(bad.Good) in {"SHIP", "NO_SHIP", "INSUFFICIENT_EVIDENCE"}
    with pytest.raises(AssertionError, match="Secret does not conform:\n  columns: it reads the column 'label'"):
        assert_conforms(bad.Secret)


def test_an_output_may_change_with_its_version_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "recorded.json"

    def told() -> list[str]:
        return [
            str(f) for f in compare_with_record(bad.Creeping, Case(), run_trials([(bad.Creeping, Case())])[0], file)
        ]

    assert told() == [] and told() == []
    monkeypatch.setenv("CREEPING", "second")
    assert told()[0].startswith("version: its output changed but version is still 1; bump it")
    monkeypatch.setattr(bad.Creeping, "version", 2)
    assert told() == [] and '"version": 2' in file.read_text()


def test_a_build_that_fails_says_why_in_the_words_of_the_build() -> None:
    with pytest.raises(AssertionError, match="curator 'loose': curate yielded a str instead of a Decision"):
        assert_builds(bad.Loose)


def test_a_trial_answers_in_this_process() -> None:
    kept = create_trial(bad.Good(), Case(rows=[{"text": "a"}, {"text": ""}])).run()
    assert [one["kept"] for one in kept] == [True, False]
