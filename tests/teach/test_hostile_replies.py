"""An endpoint that repeats keys, sends bombs, or is on this machine while a proxy is set."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import curious_builds as curious
import pytest
from loopback import Play, Server, serving
from teach_parts import ask, statuses, teacher

from factory.errors import UnavailableError
from factory.llm import http_limits
from factory.llm.secrets import find_secret, redact_secrets

pytest.importorskip("openai")

KEY = "sk-opensesame-1234567890"


@pytest.mark.parametrize("form", [
    KEY, "\n".join(KEY), KEY.replace("-", "\u200b-"), KEY[::-1], base64.b64encode(KEY.encode()).decode(),
    KEY.encode().hex(),
])
def test_a_reply_that_holds_a_secret_is_a_failure_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    with serving(Play(f"certainly: {form}!"), Play(None, finish=form), Play("fine")) as server:
        client = teacher(server, tmp_path, key_env="THE_KEY", concurrency=1)
        told, odd, fine = client.ask([ask("a"), ask("b"), ask("c")])
    assert told.error == odd.error == "the reply holds the value of $THE_KEY" and told.text == odd.text == ""
    assert fine.text == "fine" and statuses(tmp_path) == ["invalid", "invalid", "ok"]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert form.encode() not in kept and json.dumps(form).encode() not in kept


def test_a_secret_of_another_service_is_known_by_its_name_and_short_words_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from factory.llm.secrets import collect_secrets

    monkeypatch.setenv("MY_CLOUD_SECRET", "hunter2hunter2")
    monkeypatch.setenv("SHORT_KEY", "test")
    secrets = collect_secrets("SHORT_KEY")
    assert find_secret("it is hunter2hunter2.", secrets) == "MY_CLOUD_SECRET" and not find_secret("a test", secrets)
    assert redact_secrets("it is\nhunter2hunter2.", secrets) == "it is $MY_CLOUD_SECRET."


def test_a_broken_reply_is_quoted_without_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    raw = b"x" * 70 + f"<html>{KEY}".encode()
    with serving(otherwise=Play(raw=raw)) as server, pytest.raises(UnavailableError) as failed:
        list(teacher(server, tmp_path, key_env="THE_KEY", retries=0).ask([ask("a")]))
    assert "not a chat completion" in str(failed.value) and KEY[:4] not in str(failed.value)


def bomb(status: int) -> Play:
    return Play(status=status, raw=gzip.compress(bytes(200 << 20), mtime=0), headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "play", [bomb(200), bomb(400), bomb(500), Play(raw=b"[" * 9_000_000)], ids=["200", "400", "500", "nested"]
)
def test_a_bomb_is_a_broken_reply(tmp_path: Path, play: Play) -> None:
    with serving(otherwise=play) as server, pytest.raises(UnavailableError) as failed:
        list(teacher(server, tmp_path, retries=1).ask([ask("a")]))
    assert "the reply is " in str(failed.value) and ("compressed" in str(failed.value) or "MiB" in str(failed.value))
    assert statuses(tmp_path) == ["broken", "broken"] and server.asked[0].headers["accept-encoding"] == "identity"
    assert http_limits.MAX_RESPONSE_BYTES == 8 << 20


def test_deep_nesting_is_a_broken_reply(tmp_path: Path) -> None:
    with serving(otherwise=Play(raw=b"[" * 200_000)) as server, pytest.raises(UnavailableError, match="not a chat"):
        list(teacher(server, tmp_path, retries=0).ask([ask("a")]))


def test_a_request_to_this_machine_does_not_go_through_a_proxy(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(otherwise=Play(curious.retold)) as server, Server() as proxy:
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        assert next(teacher(server, tmp_path).ask([ask("Retell: a")])).text == "a retold"
        spec = curious.asking(toy / "toy.yaml", server.url, first=3)
        assert curious.build(spec, tmp_path / "home")[0] == 0
        assert len(server.asked) == 4 and proxy.asked == []
