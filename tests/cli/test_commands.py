import json
import subprocess
import sys

import pytest
from fake_runs import fake_run

from factory import events
from factory.cli import run_command_line as factory
from factory.cli.app import COMMAND_SUMMARIES, app
from factory.runs import run_view
from factory.runs.run_outputs import RunOutputs


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_runs_lists_newest_first_as_a_table_and_as_json(home, capsys):
    fake_run(home, "20261120-010000-icd-aaaa", at=1000.0, end=False)
    fake_run(home, "20261121-010000-icd-bbbb", at=2000.0, salt="new")
    assert factory(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["run", "task", "profile"]
    assert lines[1].startswith("20261121") and "SHIP" in lines[1] and "ndcg@10" in lines[1]
    assert lines[2].startswith("20261120") and "dead" in lines[2]
    assert factory(["runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in listed] == ["finished", "dead"]
    assert factory(["tui", "--once", "runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == listed


def test_no_runs_leave_standard_output_empty(home, capsys):
    assert factory(["runs"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no runs in" in said.err


def test_show_gives_stages_curve_and_verdict(home, capsys):
    fake_run(home, lift=0.2)
    assert factory(["show", "icd"]) == 0
    text = capsys.readouterr().out
    assert "training loss by step" in text and "⠀" in text
    assert "answers these 40 test rows better than untuned" in " ".join(text.split())
    assert "factory try icd --query 'Kinking and stricture of ureter'" in text
    assert "\x1b" not in text


def test_show_json_holds_what_a_program_wants(home, capsys):
    fake_run(home)
    assert factory(["show", "latest", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["verdict"] == "SHIP"
    assert shown["contenders"].keys() == {"tuned", "untuned", "bm25", "hybrid"}
    assert len(shown["curve"]) == 60
    assert {s["state"] for s in shown["stages"]} == {"cached", "done"}


def test_compare_prints_counts_and_rows(home, capsys):
    fake_run(home, lift=0.2)
    assert factory(["compare", "icd", "icd:bm25", "--rows", "2"]) == 0
    text = capsys.readouterr().out
    assert "95 % interval" in text.replace("\xa0", " ")
    assert "won, 2 of" in text
    assert factory(["compare", "icd", "icd:bm25", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 40


def test_report_json_names_the_file_and_the_run(home, tmp_path, capsys):
    run = fake_run(home)
    assert factory(["report", "latest", "--json", "--out", str(tmp_path / "page.html")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["file"], shown["run"], shown["verdict"]) == (str(tmp_path / "page.html"), run, "SHIP")


def test_report_writes_one_file_and_prints_its_path(home, capsys):
    run = fake_run(home)
    assert factory(["report", "icd"]) == 0
    assert capsys.readouterr().out.strip() == f"{run}.html"
    assert (home / f"{run}.html").read_text().startswith("<!doctype html>")


def test_gc_keeps_what_recent_runs_refer_to(home, capsys):
    fake_run(home, "20261120-010000-icd-aaaa", at=1000.0, salt="old")
    fake_run(home, "20261121-010000-icd-bbbb", at=2000.0, salt="new")
    (home / "store" / "train" / "feed.part" / "work").mkdir(parents=True)
    assert factory(["gc", "--keep", "1", "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    kinds = sorted(folder["place"].partition("/")[0] for folder in planned["folders"])
    assert kinds == ["answer", "bundle", "gate", "score", "train", "train"]
    assert factory(["gc", "--keep", "1"]) == 0
    assert "freed" in capsys.readouterr().err
    assert RunOutputs(home, run_view.find_run(home, "bbbb")).read_stage_json("gate")
    assert not RunOutputs(home, run_view.find_run(home, "aaaa")).read_stage_json("gate")


def test_gc_leaves_alone_what_a_build_holds(home, capsys):
    from factory.store.outputs import Store

    fake_run(home)
    store = Store(home)
    place = store.locate_output("train", "feed")
    place.work_folder.mkdir(parents=True)
    with store.lock_output(place):
        factory(["gc"])
        assert place.work_folder.is_dir()
    factory(["gc"])
    assert not place.work_folder.exists()


def test_every_command_says_in_its_help_what_the_list_says(home, capsys):
    for name, what in COMMAND_SUMMARIES.items():
        command = app.get_command(None, name)
        assert command is not None
        assert (command.help or "").split("\n")[0].startswith(what), name


def test_help_imports_neither_pydantic_nor_rich_nor_numpy():
    code = (
        "import sys; from factory.cli import run_command_line; run_command_line(['--help']); print([m for m in "
        "sys.modules if m in BAD])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"BAD = {{'pydantic', 'torch', 'rich', 'numpy', 'yaml', 'pluggy'}}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Commands:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command", ["runs", "show latest", "compare latest latest:bm25", "report latest", "gc --dry-run", "plugins"]
)
def test_reading_never_loads_torch(home, command):
    fake_run(home)
    code = (
        f"import sys; from factory.cli import run_command_line; code = run_command_line({command.split()!r}); "
        f"print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr


def test_the_events_are_enough_for_the_display(home):
    view = run_view.RunView()
    for at, event in [
        (1.0, events.StageStarted("train", "k", "missing")),
        (3.0, events.Measured("train", 4, {"loss": 0.5})),
    ]:
        view.apply(at, event)
    assert view.extract_curve() == [(4, 0.5)]
