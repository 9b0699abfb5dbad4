"""A classifier built under every rule of the gate, from its spec to the verdict that is shown."""

import json
from pathlib import Path

from classify_parts import project
from house_parts import ask
from places import ROOT
from toy_builds import build

from factory.errors import BAD_INPUT

RULES = (
    "gate.metric=macro_f1", "gate.floor=0.2", "contenders=[tuned, centroid, majority]",
    "gate.guards=[{metric: accuracy, within: 0.5}, {metric: accuracy, slice: label=card, within: 0.9}]",
    "gate.match={contender: centroid, within: 0.5, latency: 1000}",
)


def test_a_build_obeys_every_rule_and_shows_it(tmp_path: Path) -> None:
    spec, home = project(tmp_path), tmp_path / "home"
    options = [part for rule in RULES for part in ("--set", rule)]
    code, lines = build(spec, home, *options)
    (file,) = home.glob("store/gate/*/output/gate.json")
    gate = json.loads(file.read_text())
    states = {rule["rule"]: rule["state"] for rule in gate["rules"]}
    assert (code, gate["metric"], states) == (0, "macro_f1", {"floor": "met", "guard": "met", "match": "met"}), lines
    assert [c["baseline"] for c in gate["comparisons"]] == ["majority"]
    shown = " ".join(ask(ROOT, home, "show", "latest").split())
    assert "Tuned reaches the floor of 0.2: macro_f1 " in shown and "Tuned is as good as centroid, of which" in shown
    assert gate["tuned"]["high"] <= 1
    ask(ROOT, home, "report", "latest", "--out", "page.html")
    assert "states a floor of 0.2, 2 guards and that tuned matches centroid" in (home / "page.html").read_text()


def test_a_slice_that_does_not_exist_stops_the_build_before_it_trains(tmp_path: Path) -> None:
    spec, home = project(tmp_path), tmp_path / "home"
    code, lines = build(spec, home, "--set", "gate.guards=[{slice: label=cart, within: 0.1}]")
    assert code == BAD_INPUT and not list(home.glob("store/train/*"))
    assert any("no test row is of the slice 'label=cart'; known: label=card, label=money_transfer" in x for x in lines)
