"""A build with a teacher that is killed: what was answered is there, and nobody pays for it again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import curious_builds as curious
import pytest
import toy_builds as builds
from loopback import Play, Server, serving

from factory.llm import RESPONSES_FOLDER

pytest.importorskip("openai")


def paid(server: Server) -> int:
    return sum(server.served.values())


def ends(home: Path) -> Counter[Any]:
    return Counter(line["status"] for line in curious.ledger(home))


def test_a_killed_build_loses_none_and_pays_none_twice(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(otherwise=Play(curious.retold, wait=0.05)) as server:
        spec = curious.asking(toy / "toy.yaml", server.url, first=60)
        process = builds.start(spec, home, **curious.environment(toy))
        builds.until(lambda: paid(server) >= 20)
        for pid in [*builds.living(home), process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        known = {line["key"] for line in curious.ledger(home) if line["status"] == "ok"}
        assert 10 <= len(known) < 60
        code, said = curious.build(spec, home)
        assert code == 0, said
    attempts, right = ends(home), [line["key"] for line in curious.ledger(home) if line["status"] == "ok"]
    assert len(list((home / RESPONSES_FOLDER).glob("*/*.json"))) == 60 == len(server.served), "none is lost"
    assert len(right) == len(set(right)) and paid(server) <= 60 + 4, "none that came in is paid twice"
    assert attempts["sent"] - attempts["ok"] <= 4, "no more is unaccounted for than was in flight"
