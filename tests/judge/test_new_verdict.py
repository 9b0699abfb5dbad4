"""A verdict is one member: whoever shows verdicts, or ends with them, shows a further one at once."""

import json
import re
from pathlib import Path

import pytest
from fake_runs import fake_run
from house_parts import ask, changed_package, on_path
from places import ROOT
from toy_builds import build

from factory.cli.app import app
from factory.data.rows import read_json
from factory.events import Verdict
from factory.store.outputs import DIGESTS
from factory.views.advice import describe_next_step

MEMBER = '''\
    HUMANS_DISAGREE = "HUMANS_DISAGREE", VerdictFacts(
        exit_code=4, title="ASK AGAIN", sign="§", tone="bad", claim="divides, on {rows}, the judges against",
        advice="ask the judges again", finding="the judges disagree.", next_step="Let {rows} be judged twice.",
    )

'''


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with one member more."""
    return changed_package(tmp_path_factory.mktemp("changed"), "events.py", "    @classmethod\n", MEMBER)


def test_the_terminal_the_tui_and_the_report_show_a_further_verdict(package: Path, tmp_path: Path) -> None:
    fake_run(tmp_path, verdict="HUMANS_DISAGREE", lift=0.2)
    sentence = "The tuned reranker divides, on these 40 test rows, the judges against untuned"
    shown = ask(package, tmp_path, "show", "icd")
    assert " ASK AGAIN  icd" in shown and sentence in " ".join(shown.split())
    assert "§ ASK AGAIN  icd" in ask(package, tmp_path, "tui", "--once", "verdict", "icd")
    assert "§ ASK AGAIN" in ask(package, tmp_path, "tui", "--once", "runs")
    ask(package, tmp_path, "report", "icd", "--out", "page.html")
    page = (tmp_path / "page.html").read_text()
    assert '<span class="badge bad">ASK AGAIN</span>' in page and sentence in page


def test_a_build_ends_with_the_exit_code_of_a_further_verdict(package: Path, toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert build(toy / "toy.yaml", home)[0] == 0
    (gate,) = home.glob("store/gate/*/output/gate.json")
    gate.write_text(gate.read_text().replace('"SHIP"', '"HUMANS_DISAGREE"'))
    # A changed file would be made again; outputs of older factories have no digests.
    meta = gate.parents[1] / "stage.json"
    meta.write_text(json.dumps({name: value for name, value in read_json(meta).items() if name != DIGESTS}))
    assert build(toy / "toy.yaml", home, PYTHONPATH=on_path(package))[0] == 4


def test_a_word_of_a_newer_factory_is_shown_as_it_is() -> None:
    word = Verdict.from_word("TO_BE_SEEN")
    assert (word, word.facts.title, word.ships) == ("TO_BE_SEEN", "TO_BE_SEEN", False)
    assert Verdict.from_word("SHIP") is Verdict.SHIP and Verdict.from_word(7).facts.title == "7"


def test_rows_are_asked_for_only_where_their_number_is_known() -> None:
    gate = {"verdict": "INSUFFICIENT_EVIDENCE", "n_to_settle": 12_000}
    assert describe_next_step(gate) == "About 12,000 test rows would be needed to decide (data.split.test)."
    assert describe_next_step({**gate, "n_to_settle": None}) == "Add test rows (data.split.test)."
    groups = {"count": 40, "unit": "groups", "is_capped": False}
    shown = describe_next_step({**gate, "n_to_settle": 40, "settle": groups})
    assert shown == "About 40 groups of test rows would be needed to decide (data.split.test)."
    capped = {"count": 1600, "unit": "rows", "is_capped": True}
    shown = describe_next_step({**gate, "n_to_settle": 1600, "settle": capped})
    assert shown == "More than 1,600 test rows would be needed to decide: not worth it."


def test_the_readme_and_the_help_name_every_verdict_with_its_exit_code() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|.*\| (\d+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == [(verdict, str(verdict.facts.exit_code)) for verdict in Verdict]
    assert {str(verdict.facts.exit_code) for verdict in Verdict} <= set(re.findall(r"\d+", app.epilog or ""))
