"""Builds with a teacher, again: from the cache, without a network, and without a word about the key."""

from __future__ import annotations

import json
from pathlib import Path

import curious_builds as curious
import pytest
import toy_builds as builds
from loopback import Play, serving

from factory.errors import UNAVAILABLE

pytest.importorskip("openai")


def edit(rows: Path, text: str) -> None:
    """Change the one row that has this text."""
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    changed = [{**row, "text": row["text"] + " edited" * (row["text"] == text)} for row in found]
    rows.write_text("".join(json.dumps(row) + "\n" for row in changed))


def test_one_edited_row_is_one_call_and_a_replay_needs_no_network(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(otherwise=Play(curious.retold)) as server:
        spec = curious.asking(toy / "toy.yaml", server.url, first=200)
        assert curious.build(spec, home)[0] == 0
        before = len(server.asked)
        edit(toy / "rows.jsonl", server.asked[0].text.removeprefix("Retell: "))
        assert curious.build(spec, home)[0] == 0
        assert len(server.asked) == before + 1 and server.asked[-1].text.endswith(" edited")
    first = builds.digest(home)
    assert curious.build(spec, home, "--replay", "--force", "gather")[0] == 0
    assert "synthesize" in builds.finished(home) and builds.digest(home) == first


def test_a_replay_names_the_request_that_it_lacks_and_opens_no_socket(toy: Path, tmp_path: Path) -> None:
    spec = curious.asking(toy / "toy.yaml", "http://127.0.0.1:9/v1")
    code, said = curious.build(spec, tmp_path / "home", "--replay")
    assert code == UNAVAILABLE
    assert said[-1].startswith("synthesize: --replay: no cached answer to request ")
    assert " from synthesizer 'retold' to big ('Retell: " in said[-1]
    assert said[-1].endswith("build without --replay first")
    assert curious.sockets(spec) == []
