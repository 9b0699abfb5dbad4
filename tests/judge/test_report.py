from html.parser import HTMLParser

import pytest
from fake_runs import fake_run

from factory.report.html import join_markup, render_element
from factory.report.run_page import render_run_page
from factory.runs import run_view
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting


class Reader(HTMLParser):
    """Balances tags and remembers what a browser would fetch or run."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.open.append(tag)
        self.ids += [said["id"]] if "id" in said else []
        self.fetched += [v for k, v in said.items() if k in ("src", "href") and not v.startswith("#")]
        self.fetched += [tag] if tag in ("script", "link", "iframe") else []

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(text):
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def made(tmp_path, **how):
    return render_run_page(RunOutputs(tmp_path, run_view.find_run(tmp_path, fake_run(tmp_path, **how))))


def test_the_report_is_one_file_that_fetches_nothing(tmp_path):
    reader = read(made(tmp_path))
    assert reader.fetched == []
    assert reader.ids == ["contenders", "gate", "rows", "training", "data", "work", "spec"]


def test_the_verdict_comes_first_in_words(tmp_path):
    text = made(tmp_path, lift=0.2)
    assert text.index("The tuned reranker answers these 40 test rows better than untuned") < text.index("<table")
    assert "No training row matches a held-out row (frozen)." in text
    assert "train.epochs" in text and "spec, line 9" in text


def test_rows_can_not_write_html_or_control_the_reader(tmp_path):
    text = made(tmp_path)
    assert "\x1b" not in text
    assert "<b>& more" not in text


def test_a_dead_run_has_a_report_too(tmp_path):
    text = made(tmp_path, end=False)
    read(text)
    assert "ended without a final event" in text
    assert "How the gate decided" not in text


def test_text_is_escaped_unless_it_was_made_here():
    assert render_element(
        "p", "<i>", render_element("b", 'a"b'), title='">'
    ) == '<p title="&quot;&gt;">&lt;i&gt;<b>a&quot;b</b></p>'
    assert join_markup(None, False, 0) == "0"
    assert join_markup("a\x1b[31mb\u202ec\x07") == "abc"


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("SHIP", "better than"), ("NO_SHIP", "only marginally better than"), ("INSUFFICIENT_EVIDENCE", "is not "
    "significantly different")],
)
def test_each_verdict_has_its_words(verdict, said):
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


@pytest.mark.parametrize(
    ("given", "shown"),
    [(0.44, "0.4 s"), (9.97, "10 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(given, shown):
    assert formatting.format_seconds(given) == shown


def test_terminal_text_is_one_harmless_line():
    assert formatting.clean_line("a\x1b]0;title\x07b\nc\x1b[2J\u202ed\x9b") == "ab cd"
    assert formatting.clean_line("abcdef", 4) == "abc…"
