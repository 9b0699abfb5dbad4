"""`factory data`: what came, what went and why, how the rest is spread, and where one row comes from."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_runs import fake_run
from toy_project import SPEC, rows

from factory.api import Provenance, Row
from factory.cli import run_command_line as factory
from factory.events import RunFinished, RunStarted
from factory.review import RowContent
from factory.runs.garbage import find_referenced_stages
from factory.runs.profile import Histogram, ValueCounts, compute_distributions
from factory.runs.profile.distributions import detect_script
from factory.runs.profile.funnel import generalise_reason
from factory.runs.run_view import find_run, iterate_newest_runs
from factory.store.journal import Journal, find_last_plan
from factory.store.paths import find_home
from factory.views.elements import draw_blocks
from factory_classify.task import Classifier

CONTENT = RowContent.from_task(Classifier())


@pytest.fixture
def spec(toy: Path) -> Path:
    """The toy with three rows that repeat others, one of them word for word."""
    given = rows()
    more = [{**given[0], "group": "x"}, {**given[1], "group": "y"}, {**given[2], "text": given[2]["text"].upper()}]
    (toy / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*given, *more]))
    (toy / "toy.yaml").write_text(SPEC + "  curate: [{kind: exact, text_columns: [text, label]}]\n")
    return toy / "toy.yaml"


def portrait(spec: Path, capsys, *more: str) -> dict:
    capsys.readouterr()
    assert factory(["data", str(spec), "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_portrait_stops_after_the_checks_of_rows_and_is_read_again_without_a_run(spec: Path, capsys) -> None:
    found = portrait(spec, capsys)
    (run,) = iterate_newest_runs(find_home())
    assert (run.plan[-1]["name"], run.state, run.verdict) == ("audit", "finished", "")
    assert portrait(spec, capsys) == found
    assert len(list(iterate_newest_runs(find_home()))) == 1


def test_the_funnel_adds_up(spec: Path, capsys) -> None:
    found = portrait(spec, capsys)
    left = 0
    for step in found["funnel"]:
        left += step["added"] - step["dropped"]
        assert step["rows"] == left, step
    assert left == found["rows"] == found["funnel"][-1]["rows"]
    assert found["funnel"][0] | {"reasons": {}, "note": ""} == {
        "stage": "gather", "step": "labelled", "rows": 163, "added": 163, "dropped": 0, "changed": 0, "reasons": {},
        "note": "",
    }
    assert sum(step["dropped"] for step in found["funnel"] if step["stage"] == "curate") >= 1


def test_dropped_rows_stand_beside_their_twins(spec: Path, capsys) -> None:
    gone = portrait(spec, capsys)["samples"]["dropped"]
    assert gone
    for sample in gone:
        assert sample["why"] and sample["twin"] and sample["text"].lower() == sample["twin_text"].lower()


def test_a_row_tells_its_history(spec: Path, capsys) -> None:
    found = portrait(spec, capsys)
    gone, kept = found["samples"]["dropped"][0], found["samples"]["kept"][0]
    row = portrait(spec, capsys, "--row", gone["id"])
    assert (row["state"], row["step"], row["twin"]) == ("dropped", gone["step"], gone["twin"])
    assert row["provenance"]["licence"] == "CC0-1.0" and row["provenance"]["line"] == int(gone["id"][1:])
    assert factory(["data", str(spec), "--row", kept["id"]]) == 0
    assert f"{kept['id']}  training" in capsys.readouterr().out
    assert factory(["data", str(spec), "--row", "r1"]) == 0
    assert factory(["data", str(spec), "--row", "r99999"]) == 64
    assert "no row 'r99999'" in capsys.readouterr().err


def test_a_whole_id_is_that_row_and_a_start_that_many_share_is_refused(spec: Path, capsys) -> None:
    assert portrait(spec, capsys, "--row", "r16")["id"] == "r16"
    assert factory(["data", str(spec), "--row", "r"]) == 64
    assert "give more of the id" in capsys.readouterr().err


def test_the_terminal_draws_what_json_says(spec: Path, capsys) -> None:
    assert factory(["data", str(spec), "--plain"]) == 0
    said = capsys.readouterr().out
    assert "gather  labelled" in said and "█" in said and "\x1b" not in said
    assert "No training row matches a held-out row (frozen)." in said
    assert "kept rows (sample)" in said and "matches r" in said
    assert [draw_blocks(share, 4, always_visible=True) for share in (0, 0.001, 0.5, 0.53, 1, 7)] == [
        "", "▏", "██", "██▏", "████", "████",
    ]


class Page(HTMLParser):
    """Balanced tags, ids, and whatever a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.ids, self.fetched, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        said = dict(attrs)
        self.ids += [said["id"]] if "id" in said else []
        self.fetched += [value for name, value in attrs if name in ("src", "href") and not value.startswith("#")]
        self.fetched += [tag] * (tag in ("script", "link", "iframe"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_data(self, data):
        self.text += data


def test_the_page_stands_alone_and_rows_can_not_write_html(spec: Path, tmp_path: Path, capsys) -> None:
    given = [json.loads(line) for line in (spec.parent / "rows.jsonl").read_text().splitlines()]
    evil = [{**row, "text": f"<script>alert('x')</script> \x1b[31m {row['text']}"} for row in given]
    (spec.parent / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in evil))
    assert factory(["data", str(spec), "--html", str(tmp_path / "rows.html")]) == 0
    reader = Page()
    reader.feed((tmp_path / "rows.html").read_text())
    assert (reader.open, reader.fetched) == ([], [])
    assert reader.ids == ["funnel", "spread", "kept", "dropped", "leakage", "sources"]
    assert "<script>alert('" in reader.text and "\x1b" not in reader.text
    assert "163 rows came from the sources" in reader.text


def made(texts: list[str], labels: list[str]) -> list[Row]:
    return [
        Row(f"r{n}", {"text": text, "label": label}, Provenance("s", n, generator="g" * (n % 2), detail={"score": n}))
        for n, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]


def test_spreads_count_every_row_once() -> None:
    texts = [" ".join(["word"] * (1 + n % 30)) for n in range(199)] + ["كلمة عربية"]
    found = {each.title: each for each in compute_distributions(made(texts, ["a", "b"] * 100), CONTENT)}
    assert found.keys() == {"label", "length of text", "script", "source", "generator", "judge's score"}
    for each in found.values():
        counted = sum(b.rows for b in each.bins) if isinstance(each, Histogram) else sum(n for _, n in each.values)
        assert counted == each.rows == 200
    length, labels = found["length of text"], found["label"]
    assert isinstance(length, Histogram) and (length.median, length.most) == (15, 30)
    assert isinstance(labels, ValueCounts) and labels.values == (("a", 100), ("b", 100))
    assert dict(found["script"].values) == {"latin": 199, "arabic": 1}


def test_answers_that_differ_in_every_row_are_texts_and_no_labels() -> None:
    found = [
        each.title for each in compute_distributions(made(["a b"] * 50, [f"an answer {n}" for n in range(50)]), CONTENT)
    ]
    assert "label" not in found and "length of label" in found


def test_reasons_count_together_whatever_their_numbers() -> None:
    assert generalise_reason("0.83 similar to a row") == generalise_reason("0.9 similar to a row") == "similar to a row"
    assert generalise_reason("rejected: not a question") == "rejected"
    assert generalise_reason("90") == "90" and detect_script("12 – 3") == "no letters"


def test_a_name_means_a_build_though_rows_were_shown_since(tmp_path: Path) -> None:
    build = fake_run(tmp_path, "20261121-010000-icd-bbbb", at=2000.0)
    rows_alone = "20261122-010000-icd-cccc"
    plan = [{"name": "curate", "key": "k", "inputs": {}, "config": {}, "identity": {}}]
    with Journal(tmp_path / "runs" / rows_alone / "journal.jsonl") as journal:
        journal.write(RunStarted(rows_alone, "icd", "reranker", "s.yaml", "", plan, [], "0.1", 1))
        journal.write(RunFinished(rows_alone, "", 0, 1.0))
    assert find_run(tmp_path, "icd").id == build and find_run(tmp_path, "latest").id == build
    kept = find_referenced_stages(iterate_newest_runs(tmp_path), keep=1)
    assert ("curate", "k") in kept and len(kept) > 10, "gc keeps the build too"
    assert find_last_plan(tmp_path, "icd")["curate"]["key"] == "k" and "train" in find_last_plan(tmp_path, "icd")


def test_lists_of_labels_are_counted_label_by_label() -> None:
    rows = [Row(f"r{n}", {"text": "a b", "label": ["x", "y"][: n % 3]}, Provenance("s", n)) for n in range(30)]
    (labels,) = (each for each in compute_distributions(rows, CONTENT) if each.title == "label")
    assert isinstance(labels, ValueCounts) and labels.rows == 30
    assert labels.values == (("x", 20), ("no label", 10), ("y", 10))
