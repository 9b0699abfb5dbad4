"""A teacher labels texts; two experts see its doubtful labels first, one at a terminal, one in a spreadsheet."""

import csv
import io
import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from loopback import Play, serving

from factory.cli import run_command_line as factory

pytest.importorskip("openai")
SPEC = """\
apiVersion: factory/v1
name: moods
task: classifier
models:
  student: ./base
  teacher: {{model: wise, base_url: "{url}"}}
data:
  sources: [{{kind: jsonl, file: rows.jsonl, columns: [text, label]}}]
  split: {{test: 30, validation: 10}}
  synthesize: [{{kind: label, texts: {{file: raw.jsonl}}, votes: 3}}]
  review: {{file: moods.review.jsonl, share: 0.1, acceptance: 0.5}}
contenders: [tuned, majority]
"""
WORDS = ("sun", "joy", "song", "tea", "rain", "fog", "debt", "ache")
DIVIDED = "tea"


def texts(first: int, count: int) -> list[tuple[str, str]]:
    """Texts, and the mood that their last word says."""
    moods = ["glad" if n % 8 < 4 else "sad" for n in range(8)]
    numbers = range(first, first + count)
    return [(f"case {n:03} of {n * 7919 % 1000} was about {WORDS[n % 8]}", moods[n % 8]) for n in numbers]


def project(folder: Path, url: str) -> Path:
    (folder / "base").mkdir()
    (folder / "base" / "config.json").write_text('{"model_type": "bert"}')
    (folder / "base" / "model.safetensors").write_bytes(b"")
    labelled = ({"text": text, "label": label} for text, label in texts(0, 120))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labelled))
    (folder / "raw.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text, _ in texts(500, 40)))
    (folder / "moods.yaml").write_text(SPEC.format(url=url))
    return folder / "moods.yaml"


def votes() -> Play:
    """A teacher who knows every word but one, over which it wavers."""
    turns: Counter[str] = Counter()

    def vote(body: dict) -> str:
        said = " ".join(message["content"] for message in body["messages"])
        word = next(word for word in WORDS if f"about {word}" in said)
        turns[word] += 1
        glad = turns[word] % 3 if word == DIVIDED else word in WORDS[:3]
        return json.dumps({"answer": "glad" if glad else "sad"})

    return Play(vote)


def test_labels_of_a_teacher_go_through_two_experts(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    with serving(otherwise=votes()) as server:
        spec = str(project(tmp_path, server.url))
        assert factory(["review", spec, "--json"]) == 0
    waiting = json.loads(capsys.readouterr().out)["waiting"]
    assert len(waiting) == 12
    assert [DIVIDED in row["given"]["text"] for row in waiting[:5]] == [True] * 5, "doubtful labels come first"
    assert "wise" not in str(waiting) and "votes" not in str(waiting), "blind to who labelled"
    holding = ["data", spec, "--set", "data.review.doubtful=hold", "--json"]
    assert factory(holding) == 0
    before = json.loads(capsys.readouterr().out)
    assert before["review"]["held"] == 5 and before["review"]["kept"] == before["review"]["rows"] - 5
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\ne sad\n" + "a\n" * 10))
    assert factory(["review", spec, "--reviewer", "ana"]) == 0
    assert factory(["review", spec, "--reviewer", "bob", "--csv", str(tmp_path / "bob.csv")]) == 0
    with (tmp_path / "bob.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    marked = [{**line, "decision": "reject" if place < 2 else "accept"} for place, line in enumerate(lines)]
    with (tmp_path / "bob.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(marked)
    assert factory(["review", spec, "--reviewer", "bob", "--from", str(tmp_path / "bob.csv")]) == 0
    capsys.readouterr()
    assert factory(["data", spec, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["review"]["reviewed"], told["review"]["rejected"], told["review"]["reviewers"]) == (12, 2, 2)
    assert told["review"]["pairs"][0]["rows"] == 12 and 0 < told["review"]["kappa"] < 1
    titles = {each["title"]: each for each in told["distributions"]}
    assert titles["reason for doubt"]["rows"] == 3
    assert {each["value"] for each in titles["generator"]["values"]} >= {"label"}
    assert factory(holding) == 0
    after = json.loads(capsys.readouterr().out)["review"]
    assert (after["held"], after["kept"]) == (0, after["rows"] - 2), "experts decided on every doubtful row"
