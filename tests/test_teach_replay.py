"""Builds with a teacher, again: from the cache, without a network, and without a word about the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import curious_builds as curious
import pytest
import toy_builds as builds
from loopback import Play, serving

from factory.errors import UNAVAILABLE

pytest.importorskip("openai")

KEY = "sk-opensesame-1234567890"


def retold(body: dict[str, Any]) -> str:
    """The same text in other words, as far as counting words goes."""
    return str(body["messages"][-1]["content"]).removeprefix("Retell: ") + " retold"


def edit(rows: Path, text: str) -> None:
    """Change the one row that has this text."""
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    changed = [{**row, "text": row["text"] + " edited" * (row["text"] == text)} for row in found]
    rows.write_text("".join(json.dumps(row) + "\n" for row in changed))


def test_one_edited_row_is_one_call_and_a_replay_needs_no_network(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(otherwise=Play(retold)) as server:
        spec = curious.asking(toy / "toy.yaml", server.url, first=200)
        assert curious.build(spec, home)[0] == 0
        before = len(server.asked)
        edit(toy / "rows.jsonl", server.asked[0].text.removeprefix("Retell: "))
        assert curious.build(spec, home)[0] == 0
        assert len(server.asked) == before + 1 and server.asked[-1].text.endswith(" edited")
    first = builds.digest(home)
    assert curious.build(spec, home, "--replay", "--force", "gather")[0] == 0
    assert "synthesize" in builds.finished(home) and builds.digest(home) == first


def test_a_host_is_named_for_the_stage_of_its_plugin_alone(toy: Path, tmp_path: Path) -> None:
    with serving(otherwise=Play(retold)) as server:
        own = f"{{kind: retold, first: 3, endpoint: {{model: big, base_url: '{server.url}'}}}}"
        phoning = f"data.curate=[{{kind: phoning, home: '{server.url}'}}]"
        code, said = curious.build(
            toy / "toy.yaml", tmp_path / "home", "--set", f"data.synthesize=[{own}]", "--set", phoning
        )
        assert code == UNAVAILABLE and "curate: curator 'phoning' tried to reach" in said[-1]
        assert len(server.asked) == 3


def test_a_replay_names_the_request_that_it_lacks_and_opens_no_socket(toy: Path, tmp_path: Path) -> None:
    spec = curious.asking(toy / "toy.yaml", "http://127.0.0.1:9/v1")
    code, said = curious.build(spec, tmp_path / "home", "--replay")
    assert code == UNAVAILABLE
    assert said[-1].startswith("synthesize: --replay: no answer to request ")
    assert " of synthesizer 'retold' to big is in the cache ('Retell: " in said[-1]
    assert said[-1].endswith("build once without --replay")
    assert curious.sockets(spec) == []


def test_the_key_is_nowhere(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    refusal = Play(status=401, error={"message": f"Incorrect API key provided: {KEY}"})
    with serving(refusal, refusal, otherwise=Play(retold)) as server:
        spec = curious.asking(toy / "toy.yaml", server.url, first=8)
        spec.write_text(spec.read_text().replace("model: big", "model: big, key_env: THE_KEY"))
        code, said = curious.build(spec, home)
        assert code == UNAVAILABLE and "set the environment variable THE_KEY" in said[-1] and server.asked == []
        code, said = curious.build(spec, home, THE_KEY=KEY)
        assert code == UNAVAILABLE and "401: Incorrect API key provided: $THE_KEY" in said[-1]
        assert curious.build(spec, home, THE_KEY=KEY)[0] == 0
        assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    told = [path for path in home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert told == [] and KEY not in "\n".join(said)
