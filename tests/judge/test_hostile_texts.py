"""Whatever a person, a model or a plugin writes stays text in the report, at every place that it reaches."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_runs import fake_run, row
from test_report import Reader

from factory.report.docs.site import render_markdown_page
from factory.report.rows_page import render_rows_page
from factory.report.run_page import render_run_page
from factory.runs.profile import DataProfile
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import find_run
from factory.store.outputs import Store
from factory_classify.task import Classifier

HOSTILE = "</pre></style><img src=x onerror='alert(1)'>\" onload=alert(2) {{ 7 * 7 }} &amp; \x1b[31m\u202e"
"""Closes elements and attributes, runs a script, is a template and an entity, and controls a terminal's reader."""


RUN = "20261122-015700-icd-0f3a"
Say = Callable[[str], str]
"""Returns the text that stands at a named place."""


def write_rich_run(home: Path, say: Say) -> str:
    """Write the run and return its id. Whatever a person, a plugin or a model can write comes from `say`."""
    fake_run(home, RUN)
    journal, contender = home / "runs" / RUN / "journal.jsonl", say("contender")
    text = journal.read_text().replace("answer[hybrid]", "answer[CONTENDER]")
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        for key in ("stage", "name"):
            line.update({key: f"answer[{contender}]"} if line.get(key) == "answer[CONTENDER]" else {})
    keys = _describe_start(lines[0], say, contender)
    lines[-1:-1] = [
        {**lines[-2], "stage": "review", "key": keys["review"]},
        {"at": 1_795_312_060.0, "type": "Noted", "v": 1, "stage": "gate", "level": "warning", "text": say("note")},
    ]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    outputs = {**_write_data(say), **_write_rows(say), **_write_answers(say, contender)}
    for stage, files in outputs.items():
        folder = Store(home).locate_output(stage, keys[stage]).output
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "stage.json").write_text(json.dumps({"stage": stage, "seconds": 3.0, "peak_mib": 70}))
        for name, content in files.items():
            old = json.loads((folder / name).read_text()) if name in ("gate.json", "score.json") else None
            content = content(old) if old else content
            text = "".join(json.dumps(v) + "\n" for v in content) if isinstance(content, list) else json.dumps(content)
            (folder / name).write_text(text)
    return RUN


def _describe_start(start: dict[str, Any], say: Say, contender: str) -> dict[str, str]:
    start.update(name=say("spec name"), profile=say("profile"))
    start["resolved"] = [{"path": say("field"), "value": say("value"), "origin": say("file path"), "line": 9}]
    start["plan"].append({**start["plan"][0], "name": "review", "key": "e" * 64})
    for stage in start["plan"]:
        stage["name"] = stage["name"].replace("CONTENDER", contender)
        stage["config"] = {"task": {"kind": "classifier"}} if stage["name"] == "prepare" else stage["config"]
    return {stage["name"]: stage["key"] for stage in start["plan"]}


def _write_data(say: Say) -> dict[str, dict[str, Any]]:
    source = {
        "kind": say("source"), "rows": 40, "tables": {say("side table"): 3}, "licences": [say("licence")],
        "skipped": {"rows": 2, "first": [say("invalid record")]},
    }
    check = {"check": say("check"), "rows": 9, "share": 0.09, "limit": 0.01, "passed": False,
             "examples": [{"row": say("failing row"), "text": say("failing text")}]}
    leakage = {"exact": 0, "near": 0, "dropped": {say("leak kind"): 4}, "compared": 9, "threshold": 0.8}
    test = {"metric": say("required metric"), "value": 0.4, "min": 0.5, "facts": say("measured facts")}
    strata = [{"part": say("stratum"), "value": say(f"reviewed {n}"), "reviewed": 9, "accepted": 8, "acceptance": 0.9,
               "interval": [0.7, 0.97]} for n in (1, 2)]
    review = {
        "reviewed": 20, "rows": 40, "share": 0.5, "accepted": 18, "edited": 1, "rejected": 1, "interval": [0.8, 0.97],
        "acceptance": 0.9, "confidence": 0.95, "reviewers": 2, "kappa": 0.8, "disputed": 1, "held": 3, "elsewhere": 2,
        "kept": 40,
        "pairs": [{"a": say("reviewer"), "b": "dr b", "rows": 10, "agreed": 9, "kappa": 0.8}], "strata": strata,
    }
    base = {"id": say("base"), "revision": say("revision"), "digest": say("digest"), "licence": say("base licence")}
    train = {"steps": 300, "modules": 36, "trainable": 12, "parameters": 24, "facts": {say("trained"): say("fact")}}
    counts = {"train": 40, "validation": 4, "test": 40}
    return {
        "base": {"base.json": base}, "gather": {"gather.json": {"sources": [source]}}, "train": {"train.json": train},
        "freeze": {"freeze.json": {"counts": counts, "groups": counts, "digests": {"test": say("split")}}},
        "curate": {"curate.json": {"leakage": leakage, "tests": [test]}}, "review": {"review.json": review},
        "preflight": {"preflight.json": {"rows": 100, "checks": [check]}},
    }


def _write_rows(say: Say) -> dict[str, dict[str, Any]]:
    kept = [row(f"{say('row')} {n}", {"text": say("row text"), "label": say(f"label {n % 2}")}) for n in range(40)]
    for each in kept:
        each["provenance"].update(source=say("row source"), generator=say("generator"))
    dropped = [{"row": row(say("dropped row"), {"text": say("dropped text"), "label": "a"}), "step": say("step"),
                "why": say("reason"), "twin": kept[0]["id"]}]
    frozen = [row(f"q{n}", {"text": say("test text"), "label": say("test label")}) for n in range(40)]
    files = {"train.jsonl": kept, "dropped.jsonl": dropped}
    found = {"curate": files, "review": files, "freeze": {"test.jsonl": frozen, "train.jsonl": kept}}
    data = _write_data(say)
    return {stage: {**data[stage], **rows} for stage, rows in found.items()}


def _write_answers(say: Say, contender: str) -> dict[str, dict[str, Any]]:
    def rename_contender(gate: dict[str, Any]) -> dict[str, Any]:
        renamed = json.loads(json.dumps(gate).replace('"hybrid"', json.dumps(contender)))
        return {**renamed, "reasons": [say("gate reason")]}

    def add_tables(score: dict[str, Any]) -> dict[str, Any]:
        score = rename_contender(score)
        score["metrics"][0]["what"] = say("metric meaning")
        bins = [{"confidence": c, "accuracy": c - 0.1, "rows": 10} for c in (0.3, 0.5, 0.7, 0.9)]
        classes = [{say("column"): say("class"), "f1": 0.5, "rows": 3}]
        totals = {"tuned": {say("total"): 0.4}}
        return {**score, "tables": {"tuned": {say("table"): classes, "calibration": bins}}, "totals": totals}

    suite = {"suite": say("suite"), "n": 60, "base": 0.5, "tuned": 0.4, "difference": -0.1, "low": -0.3, "high": 0.1}
    probe = {"kind": "general", "suites": [suite], "drift": {say("drift"): 1.25}, "tolerance": 0.02}
    nested = [{say("setting"): say("choice"), "score": 0.5}]
    facts = {say("record"): say("spent"), "tried": nested, "rate": 0.25}
    answers = {
        name: [{"id": f"q{n}", "output": {say(f"answer of {name}"): 0.6, "other": 0.4}} for n in range(40)]
        for name in ("tuned", "untuned")
    }
    return {
        "gate": {"gate.json": lambda gate: {**rename_contender(gate), "probes": [probe]}},
        "score": {"score.json": add_tables},
        f"answer[{contender}]": {"answer.json": {"rows": 40, "facts": facts}},
        **{f"answer[{name}]": {"answers.jsonl": lines} for name, lines in answers.items()},
    }


def test_no_text_of_a_person_a_model_or_a_plugin_becomes_html(tmp_path: Path) -> None:
    places: set[str] = set()

    def say(place: str) -> str:
        places.add(place)
        return f"{place}{HOSTILE.replace('/', '')}" if place == "contender" else f"{place}{HOSTILE}"

    run = find_run(tmp_path, write_rich_run(tmp_path, say))
    outputs = RunOutputs(tmp_path, run)
    report, rows = render_run_page(outputs), render_rows_page(DataProfile(outputs, Classifier()))
    shown = ""
    for page in (report, rows):
        reader = Reader(page)
        assert reader.fetched == [] and not reader.tags & {"img", "script"}
        assert not {"\x1b", "\u202e"} & set(page) and "49" not in re.findall(r"\d+", reader.text)
        shown += reader.text
    # Each place is shown, and what stands there begins as it was written.
    assert {place for place in places if f"{place}<" not in shown} == set()
    assert shown.count("onerror='alert(1)'>\" onload=alert(2) {{ 7 * 7 }} &amp;") > 50


def test_a_spec_file_and_an_error_stay_text(tmp_path: Path) -> None:
    run = find_run(tmp_path, fake_run(tmp_path, end=False))
    run.stages["train"].error = f"error{HOSTILE}"
    run.stages["train"].why = f"why{HOSTILE}"
    reader = Reader(render_run_page(RunOutputs(tmp_path, run)))
    assert f"error{HOSTILE[:30]}" in reader.text and "img" not in reader.tags


def test_a_docstring_stays_text_and_links_lead_to_pages() -> None:
    text = f"# A kind\n\n{HOSTILE}\n\n[other](eval-ranking.md#fields) [guide](plugins/README.md) [far](far.md)"
    reader = Reader(render_markdown_page(text, [("index", f"menu{HOSTILE}")], {"eval-ranking": "", "plugins": ""}))
    assert not reader.tags & {"img", "script"} and "menu</pre>" in reader.text
    assert reader.fetched == ["index.html", "eval-ranking.html#fields", "plugins.html", "far.md"]
