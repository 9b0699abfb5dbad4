import io
import json
import os
import sys

import click
import pytest
from fake_runs import fake_run

from factory import events
from factory.cli.braille_plot import plot_braille
from factory.cli.output import format_rows, format_table, print_json
from factory.cli.progress_live import LiveProgress, format_sparkline
from factory.cli.progress_plain import PlainProgress
from factory.store import journal
from factory.views.curves import build_metric_curve
from factory.views.elements import Column, Table, Text, make_row


def heard(tmp_path, **how):
    return list(journal.read_events(tmp_path / "runs" / fake_run(tmp_path, **how) / "journal.jsonl"))


def test_plain_lines_are_one_a_stage(tmp_path):
    lines: list[str] = []
    with PlainProgress(lines.append) as plain:
        for at, event in heard(tmp_path):
            plain.handle_event(at, event)
    assert lines[0].startswith("run 2026")
    assert lines[1] == "base: cached"
    assert "curate: warning: 3 rows were dropped" in lines
    assert sum(line.startswith("train: ") for line in lines) == 1
    assert [line for line in lines if line.startswith("train: done in 20 s")]


def test_progress_speaks_every_ten_seconds_at_most():
    lines: list[str] = []
    plain = PlainProgress(lines.append)
    plain.handle_event(0.0, events.StageStarted("train", "k", "new"))
    for second in range(35):
        plain.handle_event(float(second), events.Progress("train", second * 2, 100, "steps"))
    assert lines == [
        "train: 20/100 steps, 2.0/s, 40 s left",
        "train: 40/100 steps, 2.0/s, 30 s left",
        "train: 60/100 steps, 2.0/s, 20 s left",
    ]


def test_the_live_picture_shows_a_running_stage(tmp_path):
    from rich.console import Console

    live = LiveProgress()
    for at, event in heard(tmp_path, end=False, pid=os.getpid()):
        live.run.apply(at, event)
    out = io.StringIO()
    Console(file=out, width=120, force_terminal=False).print(live.draw_frame())
    text = out.getvalue()
    assert "train" in text and "295/300 steps" in text and "loss 0." in text
    assert "answer[bm25]" in text


def test_a_cached_build_draws_nothing():
    live = LiveProgress()
    live.handle_event(1.0, events.StageCached("base", "k"))
    assert live.live_display is None


def test_a_spark_is_as_long_as_it_may_be():
    assert format_sparkline([]) == ""
    assert format_sparkline([3, 2, 1]) == "█▅▁"
    assert len(format_sparkline(list(range(500)))) == 24


def test_a_curve_has_its_scale_and_survives_odd_values():
    curve = build_metric_curve("loss", [(0, 2.0), (5, float("nan")), (10, 1.0)])
    text = plot_braille(curve, width=10, height=3)
    assert text.splitlines()[0].startswith("2 │⠑")
    assert text.splitlines()[-1].split() == ["0", "10"]
    assert curve.summary == "loss: 2.000 at step 0, 1.000 at step 10"
    assert plot_braille(build_metric_curve("loss", [])) == ""
    assert plot_braille(build_metric_curve("loss", [(1, 1.0)])).count("\n") == 13


def test_tables_align_wide_letters():
    text = format_rows(["名前", "n"], [["a", "1"], ["漢字漢字", "22"]], right=(1,))
    assert click.unstyle(text).splitlines() == ["名前       n", "a          1", "漢字漢字  22"]


def test_a_table_fits_the_terminal_and_keeps_all_columns_in_a_pipe(monkeypatch):
    columns = (Column("run", min_width=8), Column("score", align_right=True), Column("why", drop_rank=1, min_width=30))
    row = make_row("a", Text("icd-0f3a", "strong"), Text("0.526"), Text("missing: " + "no earlier run " * 3, "dim"))
    table = Table(columns, (row,))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    whole = click.unstyle(format_table(table)).splitlines()
    assert whole[1] == "icd-0f3a  0.526  missing: no earlier run no earlier run no earlier run"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert click.unstyle(format_table(table)).splitlines() == ["run       score", "icd-0f3a  0.526"]
    assert format_table(table).splitlines()[1] == "\x1b[1micd-0f3a\x1b[0m  0.526"
    monkeypatch.setenv("NO_COLOR", "1")
    assert format_table(table).splitlines() == ["run       score", "icd-0f3a  0.526"]


def test_rows_without_ranks_wrap_on_a_terminal_and_lose_nothing(monkeypatch):
    heads, row = ["stage", "time", "why"], ["train", "35 s", "missing: no earlier run of this spec had this stage"]
    monkeypatch.setenv("COLUMNS", "40")
    assert click.unstyle(format_rows(heads, [row], right=(1,))).splitlines() == [
        "stage  time  why", "train  35 s  missing: no earlier run of this spec had this stage",
    ]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert click.unstyle(format_rows(heads, [row], right=(1,))).splitlines() == [
        "stage  time  why", "train  35 s  missing: no earlier run of", "             this spec had this stage",
    ]


def test_json_holds_no_character_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x9b31m\x85b\u202ec\u2066d\u200be\u2028f\ufeff\x7f\ud800\U000e0041 é 🦉"
    print_json({"text": hostile, hostile: 1})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"text": hostile, hostile: 1} and "é 🦉" in shown
    assert all(c == "\n" or (c.isprintable() and c not in "\u200b\ufeff") for c in shown)
