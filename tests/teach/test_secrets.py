"""What a build may not tell: its key to anybody, and anything to a host that is another stage's."""

from __future__ import annotations

from pathlib import Path

import curious_builds as curious
import pytest
from loopback import Play, serving

from factory.errors import UNAVAILABLE

pytest.importorskip("openai")

KEY = "sk-opensesame-1234567890"


def test_a_host_is_named_for_the_stage_of_its_plugin_alone(toy: Path, tmp_path: Path) -> None:
    with serving(otherwise=Play(curious.retold)) as server:
        own = f"{{kind: retold, first: 3, endpoint: {{model: big, base_url: '{server.url}'}}}}"
        phoning = f"data.curate=[{{kind: phoning, home: '{server.url}'}}]"
        code, said = curious.build(
            toy / "toy.yaml", tmp_path / "home", "--set", f"data.synthesize=[{own}]", "--set", phoning
        )
        assert code == UNAVAILABLE and "curate: curator 'phoning' tried to reach" in said[-1]
        assert len(server.asked) == 3


def test_the_key_is_nowhere(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    refusal = Play(status=401, error={"message": f"Incorrect API key provided: {KEY}"})
    with serving(refusal, refusal, otherwise=Play(curious.retold)) as server:
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
