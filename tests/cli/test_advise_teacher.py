"""A teacher behind an endpoint is tried beside the rest, on validation rows, and paid once."""

import json
from pathlib import Path

import pytest
from classify_parts import base
from loopback import Play, serving

from factory.cli import run_command_line as factory

pytest.importorskip("openai")
SPEC = """\
apiVersion: factory/v1
name: moods
task: classifier
models:
  student: ./base
  teacher: {{model: wise, base_url: "{url}", price_in: 100, price_out: 1000}}
data:
  sources: [{{kind: jsonl, file: rows.jsonl, columns: [text, label]}}]
  split: {{test: 30, validation: 30}}
  facts: {{change: never}}
contenders: [tuned, majority]
"""
WORDS = ("sun", "joy", "song", "tea", "rain", "fog", "debt", "ache")


def project(folder: Path, url: str) -> Path:
    """Two hundred texts whose mood their last word says."""
    base(folder / "base")
    texts = [f"case {n:03} of {n * 7919 % 1000} was about {WORDS[n % 8]}" for n in range(200)]
    rows = [{"text": text, "label": "glad" if n % 8 < 4 else "sad"} for n, text in enumerate(texts)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "moods.yaml").write_text(SPEC.format(url=url))
    return folder / "moods.yaml"


def mood(body: dict) -> str:
    """Right about most: it has never heard of tea."""
    word = str(body["messages"][-1]["content"]).split("\n")[0].split()[-1]
    return json.dumps({"answer": "glad" if word in WORDS[:3] else "sad"})


def test_a_teacher_is_asked_once_and_what_it_cost_is_told(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    with serving(otherwise=Play(mood)) as server:
        spec = project(tmp_path, server.url)
        assert factory(["advise", str(spec), "--rows", "30", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        asked = len(server.asked)
        assert factory(["advise", str(spec), "--rows", "30", "--set", "data.facts.change=yearly"]) == 0
        assert asked == len(server.asked) == 20
    legs = {leg["name"]: leg for leg in found["survey"]["legs"]}
    assert legs["teacher"]["sort"] == "teacher" and 0.7 < legs["teacher"]["mean"] < 1
    assert found["costs"]["teacher"] == legs["teacher"]["facts"] | {"model": "wise"}
    assert found["costs"]["teacher"]["cost"] == pytest.approx(20 * (10 * 100 + 2 * 1000) / 1e6)
    assert found["verdict"] == "FINE_TUNE" and "the teacher shows what is possible" in " ".join(found["reasons"])
    assert "teacher: 20 calls, 200 input tokens, 40 output tokens" in capsys.readouterr().out


def test_a_prompted_leg_that_is_right_is_enough(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))

    def right(body: dict) -> str:
        word = str(body["messages"][-1]["content"]).split("\n")[0].split()[-1]
        return "glad" if word in WORDS[:4] else "sad"

    with serving(otherwise=Play(right)) as server:
        spec = project(tmp_path, server.url)
        leg = f"{{kind: frontier, shots: [0], endpoint: {{model: wise, base_url: {server.url}}}}}"
        text = spec.read_text().replace("[tuned, majority]", f"[tuned, majority, {leg}]")
        spec.write_text("".join(line + "\n" for line in text.splitlines() if "teacher:" not in line))
        assert factory(["advise", str(spec), "--rows", "30"]) == 0
    said = capsys.readouterr().out
    assert " PROMPT " in said
    assert "prompting is close to the best possible score: frontier with accuracy 1.000" in " ".join(said.split())
    assert "frontier takes about" in said and "prompt tokens" in said
