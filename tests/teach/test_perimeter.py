"""Nothing leaves the perimeter that a spec draws: not by accident, not by a library, not by a plugin."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import curious_builds as curious
import pytest
from loopback import Play, Server, serving
from toy_builds import events

from factory import network_policy
from factory.api import NoOpReporter
from factory.errors import UNAVAILABLE
from factory.events import Noted
from factory.models import pip_download
from factory.network_policy import HostDeniedError, find_denial


@pytest.fixture
def server() -> Iterator[Server]:
    network_policy.install_audit_hook()
    with serving() as running:
        yield running


def place(server: Server) -> tuple[str, int]:
    return "127.0.0.1", server.server_address[1]


WAYS: dict[str, Callable[[Server], object]] = {
    "address": lambda server: socket.create_connection(place(server)),
    "name": lambda server: socket.create_connection(("localhost", place(server)[1])),
    "C resolves": lambda server: socket.socket().connect(("localhost", place(server)[1])),
    "without waiting": lambda server: socket.socket().connect_ex(place(server)),
    "datagram": lambda server: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", place(server)),
    "message": lambda server: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, place(server)),
    "look-up": lambda server: socket.getaddrinfo("secret.example.org", 53),
    "old look-up": lambda server: socket.gethostbyname("secret.example.org"),
    "urllib": lambda server: urlopen(server.url),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_out_of_an_empty_perimeter(server: Server, way: str) -> None:
    with network_policy.enforce_network_policy("curate", []) as reach, pytest.raises(OSError) as caught:
        WAYS[way](server)
    found = find_denial(caught.value)
    assert isinstance(found, HostDeniedError) and found.exit_code == UNAVAILABLE and server.asked == []
    assert "curate tried to reach" in str(found) and list(reach.denials) == [
        str(found).split("reach ")[1].split(",")[0]
    ]


def test_a_named_host_is_reached_and_on_its_port_alone(server: Server) -> None:
    host, port = place(server)
    for named in (f"{host}:{port}", host, f"localhost:{port}"):
        with network_policy.enforce_network_policy("curate", [named]):
            socket.create_connection(("localhost" if "local" in named else host, port)).close()
    with network_policy.enforce_network_policy("curate", [f"{host}:{port + 1}"]), pytest.raises(
        HostDeniedError, match=f"{host}:{port},"
    ):
        socket.create_connection((host, port))


def test_a_suffix_covers_what_is_below_it() -> None:
    with network_policy.enforce_network_policy("gather", [".hub.example"]) as reach:
        assert reach.find_allowed_ports("files.Hub.example.") == {None}
        assert not reach.find_allowed_ports("hub.example") and not reach.find_allowed_ports("evilhub.example")


def test_a_proxy_is_within_where_somebody_is_reached_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inner.example")
    with network_policy.enforce_network_policy("gather", ["api.example:443", "10.0.0.7:8000"]) as reach:
        assert reach.can_reach("api.example", 443) and reach.can_reach("proxy.example", 3128)
        assert not reach.can_reach("proxy.example", 80) and not reach.can_reach("inner.example", 443)
        assert {"inner.example", "localhost", "127.0.0.1", "10.0.0.7"} <= {*os.environ["NO_PROXY"].split(",")}
    assert os.environ["NO_PROXY"] == "inner.example" and "no_proxy" not in os.environ
    for direct in ([], ["[::1]:8000"], ["gpu:8000"], ["inner.example"]):
        with network_policy.enforce_network_policy("train", direct) as reach:
            assert not reach.can_reach("proxy.example", 3128), direct


@pytest.mark.parametrize(("host", "loopback", "private"), [
    ("127.0.0.1:80", True, True), ("[::1]:8000", True, True), ("localhost", True, True), ("127.1", True, True),
    ("0x7f.1", True, True), ("[::ffff:127.0.0.1]:8000", True, True), ("10.1.2.3", False, True),
    ("169.254.169.254", False, True), ("gpu:8000", False, True), ("llm.corp.internal", False, True),
    ("api.openai.com:443", False, False), ("8.8.8.8", False, False), ("localhost.example.org", False, False),
    ("127.0.0.1.nip.io", False, False), (".hf.co", False, False), ("the package index", False, False),
])
def test_hosts_of_this_machine_and_of_its_network_are_known(host: str, loopback: bool, private: bool) -> None:
    assert (network_policy.is_loopback_host(host), network_policy.is_private_host(host)) == (loopback, private)


def test_threads_and_replay_are_no_way_out(server: Server) -> None:
    caught: list[Exception] = []

    def phone() -> None:
        try:
            socket.create_connection(place(server))
        except Exception as error:
            caught.append(error)

    with network_policy.enforce_network_policy(
        "answer", ["127.0.0.1"], replay=True
    ), network_policy.name_actor("contender 'frontier'"):
        thread = threading.Thread(target=phone)
        thread.start()
        thread.join()
    assert "contender 'frontier' tried to reach" in str(caught[0]) and "--replay has no network" in str(caught[0])


def test_pip_is_not_started_where_the_index_is_out_of_reach(tmp_path: Path) -> None:
    fetch = lambda: pip_download.download_wheel("tiny", "1.0", tmp_path, NoOpReporter(), 0)  # noqa: E731
    with network_policy.enforce_network_policy("train", []), pytest.raises(
        HostDeniedError, match="train tried to reach the package index"
    ):
        fetch()
    with network_policy.enforce_network_policy(
        "base", [pip_download.PACKAGE_INDEX], replay=True
    ), pytest.raises(HostDeniedError, match="--replay has no network"):
        fetch()


def test_local_sockets_are_no_hosts() -> None:
    with network_policy.enforce_network_policy("train", []):
        one, other = socket.socketpair()
        one.sendall(b"x")
        assert other.recv(1) == b"x"
        one.close()
        other.close()


def test_a_whole_build_opens_no_socket(toy: Path, tmp_path: Path) -> None:
    code, said = curious.build(toy / "toy.yaml", tmp_path / "home", "--set", "data.curate=[exact]")
    assert code == 0, said
    assert curious.sockets(toy / "toy.yaml") == []


def test_a_plugin_that_phones_home_is_heard_and_fails(toy: Path, tmp_path: Path) -> None:
    with serving(otherwise=Play("thanks")) as server:
        block = f"data.curate=[{{kind: phoning, home: '{server.url}'}}]"
        code, said = curious.build(toy / "toy.yaml", tmp_path / "home", "--set", block)
        assert server.asked == [] and code == UNAVAILABLE
    host = server.url.split("/")[2]
    assert said[-1] == (
        f"curate: curator 'phoning' tried to reach {host}, which the spec does not name; "
        "add an endpoint with this base_url, or remove the plugin from the spec"
    )
    assert any(line.startswith("socket.connect") and str(server.server_address[1]) in line
               for line in curious.sockets(toy / "toy.yaml"))


def test_a_plugin_that_swallows_it_is_told_on(toy: Path, tmp_path: Path) -> None:
    with serving(otherwise=Play("thanks")) as server:
        block = f"data.curate=[{{kind: phoning, home: '{server.url}', quietly: true}}]"
        code, _ = curious.build(toy / "toy.yaml", tmp_path / "home", "--set", block)
        assert code == 0 and server.asked == []
    notes = [event for event in events(tmp_path / "home") if isinstance(event, Noted) and event.level == "warning"]
    assert any("curator 'phoning' tried to reach 127.0.0.1" in note.text for note in notes)
