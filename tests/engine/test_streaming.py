"""The stages before training give the same bytes whether rows lie in memory or are read as they are looked at."""

import json
from pathlib import Path

import pytest
from tiny_parts import Voice

from factory import identity
from factory.api import Provenance, Row, RowsJob, Synthesizer, Task
from factory.data.rows import read_json, read_rows, write_rows
from factory.errors import PluginError
from factory.plan.compiler import compile_plan
from factory.registry.registry import load_installed_registry
from factory.spec.layers import resolve_spec
from factory.stages import prepare, synthesize
from factory.stages.job import StageJob

STAGES = ("base", "gather", "prepare", "freeze", "synthesize", "curate")
SPEC = """\
apiVersion: factory/v1
name: stream
task: classifier
models: {student: ./base}
data:
  sources:
    - {kind: jsonl, file: rows.jsonl, columns: [text, label], group: family}
  split: {test: 20, validation: 10, stratify: label}
  limit: 150
  curate: [exact]
"""


def project(folder: Path) -> Path:
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "config.json").write_text('{"model_type": "bert"}')
    (folder / "base" / "model.safetensors").write_bytes(b"")
    (folder / "spec.yaml").write_text(SPEC)
    rows = [{"text": f"text {n % 190}", "label": "ab"[n % 2], "family": f"f{n // 3}"} for n in range(220)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def ran(folder: Path, out: Path) -> dict[str, str]:
    plan = compile_plan(
        resolve_spec(folder / "spec.yaml", profile="", overrides=(), registry=load_installed_registry())
    )
    for name in STAGES:
        (out / name).mkdir(parents=True)
        inputs = {role: out / other for role, other in plan[name].inputs.items()}
        work = StageJob(
            name, plan[name].config, inputs, out / name, out, folder, folder, Voice(), load_installed_registry()
        )
        __import__(plan[name].module_name, fromlist=["run"]).run(work)
    return identity.digest_folder_files(out)


def test_reading_as_looked_at_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "project")
    held = ran(folder, tmp_path / "held")
    monkeypatch.setattr("factory.data.rows.LAZY_THRESHOLD_BYTES", 0)
    assert ran(folder, tmp_path / "looked") == held


def test_frozen_rows_are_in_the_order_of_ids_and_say_their_part(tmp_path: Path) -> None:
    ran(project(tmp_path / "project"), tmp_path / "out")
    facts = read_json(tmp_path / "out" / "freeze" / "freeze.json")
    for part in ("train", "validation", "test"):
        rows = list(read_rows(tmp_path / "out" / "freeze" / f"{part}.jsonl"))
        assert [row.id for row in rows] == sorted(row.id for row in rows)
        assert {row.split for row in rows} == {part} and len(rows) == facts["counts"][part]
        assert len({row.group for row in rows}) == facts["groups"][part]
    assert facts["own_split"] == 0


class Odd(Task):
    """Loses, adds or swaps a row."""

    kind = "odd-prepare"
    how: str = "loses"

    def prepare(self, job: RowsJob):
        rows = list(job.rows)
        yield from {"loses": rows[:-1], "adds": [*rows, rows[0].with_columns(x=1)], "swaps": rows[::-1]}[self.how]


class Doubling(Synthesizer):
    """Changes the first row, and adds one."""

    kind = "doubling"

    def synthesize(self, job: RowsJob):
        yield job.rows[0].with_columns(text="changed")
        yield Row(f"new {len(job.rows)}", {"text": "new"}, Provenance("", generator="doubling"))


class Given(StageJob):
    """A job whose plugin is at hand."""

    __slots__ = ()

    def make_plugin(self, role: str, block: dict):
        return {"task": Odd, "synthesizer": Doubling}[role](**{k: v for k, v in block.items() if k != "kind"})


def given(folder: Path, config: dict) -> StageJob:
    rows = [Row(f"r{number}", {"text": f"text {number}"}, Provenance("s", number)) for number in range(3)]
    for role, file in (("gather", "rows.jsonl"), ("freeze", "train.jsonl")):
        write_rows(folder / role / file, rows)
    (folder / "base" / "model").mkdir(parents=True)
    (folder / "base" / "base.json").write_text('{"id": "x", "revision": "1", "digest": "", "licence": ""}')
    inputs = {role: folder / role for role in ("gather", "freeze", "base")}
    return Given(
        "any", {"seed": 7, **config}, inputs, folder / "out", folder, folder, folder, Voice(), load_installed_registry()
    )


@pytest.mark.parametrize("how", ["loses", "adds", "swaps"])
def test_prepare_must_give_every_row_back_in_order(tmp_path: Path, how: str) -> None:
    with pytest.raises(PluginError, match="task 'odd-prepare': prepare must yield every row, in order"):
        prepare.run(given(tmp_path, {"task": {"kind": "odd-prepare", "how": how}}))


def test_synthesizers_see_what_the_one_before_made(tmp_path: Path) -> None:
    job = given(tmp_path, {"task": {"kind": "odd-prepare"}, "limit": 0, "synthesizers": [{"kind": "doubling"}] * 2})
    (tmp_path / "out").mkdir()
    synthesize.run(job)
    rows = list(read_rows(tmp_path / "out" / "train.jsonl"))
    assert [row.id for row in rows] == ["r0", "r1", "r2", "new 3", "new 4"] and rows[0]["text"] == "changed"
    steps = [{"kind": "doubling", "added": 1, "changed": 1}] * 2
    assert read_json(tmp_path / "out" / "synthesize.json") == {"rows": 5, "steps": steps}
