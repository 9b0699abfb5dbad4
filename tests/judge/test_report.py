"""The HTML report: one file that fetches nothing, with the verdict first, in words."""

import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_runs import fake_run
from jinja2 import UndefinedError
from places import ROOT

from factory.report.rendering import render_template
from factory.report.run_page import render_run_page
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import find_run
from factory.views import formatting
from factory.views.elements import Column, Table, Text, make_row


class Reader(HTMLParser):
    """Balances tags, and remembers what a browser would fetch or run, and what a person would read."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.fetched, self.ids, self.text, self.tags = [], [], [], "", set()
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.open.append(tag)
        self.tags.add(tag)
        self.ids += [said["id"]] if "id" in said else []
        self.fetched += [v for k, v in said.items() if k in ("src", "href") and not v.startswith("#")]
        self.fetched += [tag] if tag in ("script", "link", "iframe") else []
        self.fetched += [name for name in said if name.startswith("on")]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def write_report(home: Path, **how: object) -> str:
    return render_run_page(RunOutputs(home, find_run(home, fake_run(home, **how))))


def test_the_report_is_one_file_that_fetches_nothing(tmp_path: Path) -> None:
    reader = Reader(write_report(tmp_path))
    assert reader.fetched == []
    assert reader.ids == ["contenders", "gate", "rows", "training", "data", "work", "spec"]


def test_the_verdict_comes_first_in_words(tmp_path: Path) -> None:
    text = write_report(tmp_path, lift=0.2)
    assert text.index("The tuned reranker answers these 40 test rows better than untuned") < text.index("<table")
    assert "No training row matches a held-out row (frozen)." in text
    assert "train.epochs" in text and "spec, line 9" in text


def test_a_dead_run_has_a_report_too(tmp_path: Path) -> None:
    text = write_report(tmp_path, end=False)
    assert "ended without a final event" in Reader(text).text
    assert "How the gate decided" not in text


def test_cells_take_the_style_of_their_tone_and_long_tables_say_what_they_leave_out() -> None:
    columns, cell = (Column("n", align_right=True), Column("")), (Text("0.5"), Text("±<1", "dim"))
    table = Table(columns, tuple(make_row(str(n), Text(f"{n}", "strong"), cell) for n in range(3)))
    context = {"page": type("Page", (), {"totals": table, "metrics_tables": ()})()}
    text = render_template("run/whole.html.jinja", context)
    assert '<td class="n"><b>2</b></td>' in text and '<td>0.5 <span class="keep soft">±&lt;1</span></td>' in text
    part = type("Part", (), {"title": "many", "curve": None})()
    part.table = Table(columns, tuple(make_row(str(n), str(n), "") for n in range(1042)))
    context["page"].metrics_tables = (part,)
    assert "and 1,002 more" in render_template("run/whole.html.jinja", context)
    with pytest.raises(UndefinedError):
        render_template("run/whole.html.jinja", {})


def test_rows_of_groups_stand_between_single_commas() -> None:
    comparison = {"baseline": "untuned", "difference": 0.1, "low": -0.1, "high": 0.3, "n": 40, "groups": 6,
                  "effective_groups": 5.1}
    gate = {"verdict": "INSUFFICIENT_EVIDENCE", "metric": "accuracy", "comparisons": [comparison], "confidence": 0.95}
    text = formatting.describe_verdict(gate, "classifier")
    assert "on these 40 test rows of 6 groups, worth 5.1 of equal size, from untuned" in text


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("SHIP", "better than"), ("NO_SHIP", "only marginally better than"), ("INSUFFICIENT_EVIDENCE", "is not "
    "significantly different")],
)
def test_each_verdict_has_its_words(verdict: str, said: str) -> None:
    best = {"baseline": "bm25", "difference": 0.01, "low": -0.02, "high": 0.04, "n": 300}
    gate = {
        "verdict": verdict,
        "metric": "ndcg@10",
        "tuned": {"mean": 0.4},
        "comparisons": [best],
        "best_baseline": "bm25",
    }
    text = formatting.describe_verdict({**gate, "confidence": 0.95}, "reranker")
    assert said in text
    assert "−0.020 to +0.040" in text


def test_the_headline_names_the_best_baseline_and_hides_no_loss():
    wide = {"baseline": "majority", "difference": 0.018, "low": -0.3, "high": 0.336, "n": 40}
    behind = {"baseline": "centroid", "difference": -0.221, "low": -0.25, "high": -0.19, "n": 40}
    near = {"baseline": "knn", "difference": -0.01, "low": -0.02, "high": 0.01, "n": 40}
    gate = {"metric": "accuracy", "tuned": {"mean": 0.5}, "confidence": 0.95}

    def describe(verdict, best, *comparisons):
        given = {**gate, "verdict": verdict, "best_baseline": best, "comparisons": list(comparisons)}
        return formatting.describe_verdict(given, "classifier")

    text = describe("NO_SHIP", "centroid", wide, behind, near)
    assert "no better than centroid, the best of the others: −0.221" in text and "majority" not in text
    text = describe("INSUFFICIENT_EVIDENCE", "knn", wide, near)
    assert "from knn, the best of the others: −0.010" in text and "majority" not in text
    lost = {**near, "baseline": "bm25", "difference": -0.005, "high": -0.001}
    text = describe("NO_SHIP", "knn", lost, {**near, "difference": -0.1, "low": -0.3})
    assert "no better than bm25 (the best of the others is knn: −0.100): −0.005" in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [(0.44, "0.4 s"), (9.97, "10 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(given: float, shown: str) -> None:
    assert formatting.format_seconds(given) == shown


def test_terminal_text_is_one_harmless_line() -> None:
    assert formatting.clean_line("a\x1b]0;title\x07b\nc\x1b[2J\u202ed\x9b") == "ab cd"
    assert formatting.clean_line("abcdef", 4) == "abc…"


def test_a_wheel_holds_every_template_and_the_style_sheet(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    templates = {str(path.relative_to(ROOT)) for path in ROOT.glob("factory/report/templates/**/*.*")}
    assert len(templates) > 20 and templates <= held
