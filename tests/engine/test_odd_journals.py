"""One odd journal, or one odd plugin, hurts no listing: it is shown as what it is."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_runs import fake_run

from factory.api import Task
from factory.cli import run_command_line
from factory.registry.describe import list_kind_users
from factory.registry.registry import load_installed_registry
from factory.runs.run_index import RunIndex

GOOD = "20261122-010000-icd-0f3a"
ODD = "20261122-020000-icd-ffff"
START = {
    "at": 1_795_312_000.0, "type": "RunStarted", "v": 1, "run": ODD, "name": "icd", "task": "reranker", "spec": "s",
    "profile": "", "resolved": [], "factory": "1", "pid": 0,
    "plan": [{"name": "gate", "key": "k1", "inputs": {}, "config": {}, "identity": {}}],
}
END = {"at": 1_795_312_009.0, "type": "RunFinished", "v": 1, "run": ODD, "verdict": "SHIP", "exit_code": 0,
       "seconds": 9.0, "bundle": "b1"}


def write_lines(*lines: Any) -> bytes:
    return b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)


CASES = {
    "empty": b"",
    "zeros": b"\0" * 4096,
    "no newline": b"x" * 100_000,
    "deep": b"[" * 100_000 + b"\n" + write_lines(START, END),
    "not objects": write_lines(b"1\n", b"null\n", b'"at"\n', b"[]\n", START, END),
    "plan of texts": write_lines({**START, "plan": ["gate", 7]}, END),
    "plan of odd names": write_lines({**START, "plan": [{"name": 7}, {"name": ["x"]}, {"key": {}}]}, END),
    "plan without keys": write_lines({**START, "plan": [{"name": "gate"}, {}]}, END),
    "plan with odd parts": write_lines({**START, "plan": [{"name": "train", "config": 3, "inputs": "x"}]}, END),
    "resolved without paths": write_lines({**START, "resolved": [{}, {"path": 3, "value": float("nan")}]}, END),
    "no name": write_lines({**START, "name": None}, END),
    "other types": write_lines({**START, "pid": "x", "profile": 3, "spec": []}, {**END, "seconds": "long"}),
    "huge pid": write_lines({**START, "pid": 10**30}),
    "negative pid": write_lines({**START, "pid": -1}),
    "verdict of lists": write_lines(START, {**END, "verdict": ["SHIP"], "bundle": {}}),
    "verdict unknown": write_lines(START, {**END, "verdict": "\ud800 SHIP\u202e", "exit_code": 10**30}),
    "times": write_lines({**START, "at": 1e300}, {**START, "at": -5}, b'{"at": NaN, "type": "Noted"}\n', END),
    "time of text": write_lines({**START, "at": "soon"}, {**END, "at": None}),
    "infinite": write_lines(START, b'{"at": 1e999, "type": "RunFinished"}\n', {**END, "seconds": float("inf")}),
    "odd progress": write_lines(START, {"at": 1.0, "type": "Progress", "stage": {}, "done": "x", "total": None}),
    "odd values": write_lines(START, {"at": 1.0, "type": "Measured", "stage": "gate", "step": 1, "values": [1]},
                              {"at": 1.0, "type": "Measured", "stage": "gate", "step": 1, "values": {"loss": None}}),
    "other version": write_lines({**START, "v": "nine"}, {**END, "v": 9}),
    "bundle elsewhere": write_lines(START, {**END, "bundle": "../../../etc"}),
    "name elsewhere": write_lines({**START, "name": "../../../tmp/x"}, END),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("odd")
    fake_run(home, GOOD)
    return home


@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_the_listings_show_the_other_runs(
    home: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(home))
    folder = home / "runs" / ODD
    folder.mkdir(exist_ok=True)
    (folder / "journal.jsonl").write_bytes(content)
    for command in (["runs"], ["runs", "--json"], ["specialists"], ["specialists", "--json"], ["gc", "--dry-run"]):
        assert run_command_line(command) == 0, command
        shown = capsys.readouterr().out
        assert command[0] == "gc" or GOOD in shown or "icd@1" in shown, (command, shown)
    assert run_command_line(["show", ODD]) in (0, 64) and run_command_line(["show", GOOD]) == 0
    assert run_command_line(["plugins", "bm25"]) == 0
    assert {run.id for run in RunIndex(home).refresh().list_runs()} == {GOOD, ODD}
    assert "Traceback" not in capsys.readouterr().err


def test_a_pipe_in_the_place_of_a_journal_keeps_nobody_waiting(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    fake_run(tmp_path, GOOD)
    (tmp_path / "runs" / ODD).mkdir()
    os.mkfifo(tmp_path / "runs" / ODD / "journal.jsonl")
    assert run_command_line(["runs"]) == 0 and run_command_line(["show", "latest"]) == 0
    assert [run.id for run in RunIndex(tmp_path).refresh().list_runs()] == [GOOD]


class Bare(Task):
    """A task that says no defaults."""

    kind = "bare"

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        raise AttributeError("type object 'Bare' has no attribute 'defaults'")


def test_a_task_without_defaults_hurts_no_other_kind(tmp_path: Path) -> None:
    installed = load_installed_registry()
    tasks = [*installed.list_classes("task"), Bare]
    (bm25,) = (kind for kind in installed.list_classes("contender") if kind.kind == "bm25")
    users = list_kind_users(bm25, SimpleNamespace(list_classes=lambda role: tasks), tmp_path)
    assert "the task reranker" in users
    assert "perhaps the task bare, whose defaults can not be read (AttributeError: type object 'Bare' has" in users[-1]
