"""Several labels a row in a spec: the defaults that follow from the field, and what is refused before it runs."""

from pathlib import Path

import pytest
from multi_label_parts import SPEC, row, task

from factory.cli import run_command_line as factory
from factory.data.requirements import REQUIREMENT_METRICS, CuratedRows
from factory.errors import BAD_INPUT, SpecError
from factory.plan.compiler import compile_plan
from factory.registry.registry import Registry
from factory.spec.layers import ResolvedSpec, resolve_spec

SHORT = """\
apiVersion: factory/v1
name: tiny-labels
task: {kind: classifier, multi_label: true}
models: {student: ./base}
data:
  sources:
    - {kind: jsonl, file: rows.jsonl, columns: [text, label]}
"""


def resolve(folder: Path, *changes: tuple[str, str], text: str = SHORT) -> ResolvedSpec:
    (folder / "base").mkdir(exist_ok=True)
    (folder / "base" / "config.json").write_text('{"architectures": ["BertModel"], "model_type": "bert"}')
    (folder / "base" / "model.safetensors").write_bytes(b"")
    (folder / "rows.jsonl").touch()
    (folder / "rows.csv").touch()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "tiny.yaml").write_text(text)
    return resolve_spec(folder / "tiny.yaml", registry=Registry.load())


def test_the_defaults_of_the_task_follow_the_field(tmp_path: Path) -> None:
    several = resolve(tmp_path)
    chosen = (several.objective.kind, several.evals[0].kind, several.task.schedule.least_epochs)
    assert chosen == ("multi-label", "multi-label", 8)
    one = resolve(tmp_path, ("{kind: classifier, multi_label: true}", "classifier"))
    assert (one.objective.kind, one.evals[0].kind, one.task.schedule.least_epochs) == ("classification",) * 2 + (4,)
    assert [each.kind for each in several.contenders] == [each.kind for each in one.contenders]
    keys = [{stage.name: stage.key for stage in compile_plan(each).stages} for each in (several, one)]
    assert keys[0]["gather"] == keys[1]["gather"] and keys[0]["prepare"] != keys[1]["prepare"]
    resolve(tmp_path, text=SPEC)
    resolve(tmp_path, ("{kind: classifier, multi_label: true}", "classifier"))
    chosen = resolve_spec(tmp_path / "tiny.yaml", overrides=["task.multi_label=true"], registry=Registry.load())
    assert (type(chosen.task), chosen.objective.kind) == (type(several.task), "multi-label")


@pytest.mark.parametrize(("line", "said"), [
    ("objective: classification", "'classification' is for 'labels' answers, the task 'classifier' has 'label-sets'; "
     "use: multi-label"),
    ("evaluate: [classification]", "'classification' is for 'labels' answers, the task 'classifier' has 'label-sets'"),
    ("contenders: [tuned, nearest]", "'nearest' is for 'text' answers"),
])
def test_kinds_for_one_label_are_refused_with_those_for_several(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(tmp_path, text=f"{SHORT}{line}\n")
    assert said in str(caught.value)


def test_a_label_for_no_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(tmp_path, text=SHORT.replace("multi_label: true", "multi_label: true, none: other"))
    assert "with multi_label a row of no label has an empty list" in str(caught.value)


def test_the_rarest_label_is_counted_over_all_sets() -> None:
    rows = [row("a", "x", "y", name="1"), row("b", "x", name="2"), row("c", name="3")]
    measured = REQUIREMENT_METRICS["labels_min"](CuratedRows(rows, 3, 0, 0, task()))
    assert (measured.value, measured.facts) == (1, "'y', the rarest of 2 labels")
    none = REQUIREMENT_METRICS["labels_min"](CuratedRows(rows[2:], 3, 0, 0, task()))
    assert (none.value, none.facts) == (0, "no rows with a label are left")


def test_a_build_of_rows_that_the_field_contradicts_says_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    resolve(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"text": "lost", "label": "card"}\n' * 3)
    assert factory(["data", str(tmp_path / "tiny.yaml"), "--plain"]) == BAD_INPUT
    assert "rows.jsonl:1: the label of row 'rows#1' is one text, and the task has" in capsys.readouterr().err
