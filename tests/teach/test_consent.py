"""Nothing leaves to a host, and nothing outside the project is read, that a person has not allowed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import curious_builds as curious
import pytest
from loopback import Play, serving
from toy_builds import events
from toy_project import resolved

from factory.cli import run_command_line as factory
from factory.engine.build import run_until
from factory.engine.consent import ConsentError
from factory.errors import BAD_INPUT
from factory.events import Noted
from factory.plan.compiler import compile_plan
from factory.plan.reach import collect_host_uses, find_project_folder
from factory.store.consents import read_consents, remember_folder, remember_host
from factory.store.paths import find_home

pytest.importorskip("openai")

URL = "http://llm.example.org/v1"


@pytest.fixture
def curious_toy(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy, whose curious plugins are found in this process as well."""
    monkeypatch.syspath_prepend(str(curious.CURIOUS))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(curious.CURIOUS), os.environ["PYTHONPATH"]]))
    return toy


def asking(toy: Path, url: str = URL, variable: str = "") -> Path:
    spec = curious.asking(toy / "toy.yaml", url, first=3)
    spec.write_text(spec.read_text().replace("model: big", f"model: big, key_env: '{variable}'"))
    return spec


def test_a_stranger_host_gets_nothing_until_it_is_allowed_and_the_home_remembers(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, spec = tmp_path / "home", asking(toy, variable="MY_CLOUD_SECRET")
    with serving(otherwise=Play(curious.retold)) as proxy:  # reaches the public host for us, and keeps the book
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_address[1]}")
        monkeypatch.setenv("MY_CLOUD_SECRET", "hunter2hunter2")
        code, said = curious.build(spec, home)
        assert code == BAD_INPUT and proxy.asked == [] and not [*(home / "runs").glob("*")]
        assert said[-1].endswith(
            "sends all training rows, $MY_CLOUD_SECRET to llm.example.org:80 (synthesize), through the proxy "
            f"127.0.0.1:{proxy.server_address[1]}, which was not allowed yet; allow it with --allow llm.example.org:80"
        )
        code, said = curious.build(spec, home, "--allow", "other.example.org")
        assert code == BAD_INPUT and "it reaches llm.example.org:80" in said[-1] and proxy.asked == []
        code, said = curious.build(spec, home, "--allow", "llm.example.org")
        assert code == 0 and len(proxy.asked) == 3, said
        assert proxy.asked[0].headers["authorization"] == "Bearer hunter2hunter2"
        first = next(event for event in events(home) if isinstance(event, Noted))
        assert "$MY_CLOUD_SECRET to llm.example.org:80 (synthesize), through the proxy 127.0.0.1" in first.text
        assert curious.build(spec, home, "--force", "synthesize")[0] == 0, "the home remembers"
        monkeypatch.setenv("OTHER_SECRET", "open sesame")
        code, said = curious.build(asking_again(spec), home)
        assert code == BAD_INPUT and "$OTHER_SECRET to llm.example.org:80" in said[-1]


def asking_again(spec: Path) -> Path:
    spec.write_text(spec.read_text().replace("MY_CLOUD_SECRET", "OTHER_SECRET"))
    return spec


def test_a_build_from_python_asks_as_well_and_replay_reaches_nobody(curious_toy: Path, tmp_path: Path) -> None:
    toy = curious_toy
    asking(toy)
    spec, registry = resolved(toy)
    with pytest.raises(ConsentError, match=r"llm\.example\.org"):
        run_until(compile_plan(spec), "synthesize", spec, registry, tmp_path / "home")
    run_until(compile_plan(spec), "gather", spec, registry, tmp_path / "home")  # which reaches no host
    code, said = curious.build(toy / "toy.yaml", tmp_path / "home", "--replay")
    assert code != BAD_INPUT and "--replay: no cached answer" in said[-1]


def test_plan_lists_hosts_variables_stages_and_rows(
    curious_toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = asking(curious_toy, variable="KEY")
    assert factory(["data", str(spec), "--set", "data.synthesize=[]", "--plain"]) == 0
    capsys.readouterr()
    assert factory(["plan", str(spec), "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["hosts"] == [{
        "host": "llm.example.org:80", "stages": ["synthesize"], "variables": ["KEY"],
        "rows": ["up to 90 training rows"], "proxies": [],
    }]
    assert "--allow llm.example.org:80" in page["not_allowed"][0]
    assert factory(["plan", str(spec)]) == 0
    assert "90 training rows, $KEY to llm.example.org:80 (synthesize)" in " ".join(capsys.readouterr().out.split())


def test_loopback_needs_no_consent_and_private_hosts_do(curious_toy: Path) -> None:
    toy = curious_toy
    for url, needs in (("http://127.0.0.1:1/v1", False), ("http://localhost/v1", False), ("http://10.0.0.1/v1", True)):
        text = (toy / "toy.yaml").read_text()
        asking(toy, url)
        (use,) = collect_host_uses(compile_plan(resolved(toy)[0]))
        assert use.needs_consent == needs, url
        (toy / "toy.yaml").write_text(text)


def test_consents_are_those_of_one_home_and_torn_lines_give_none(tmp_path: Path) -> None:
    home, copied = tmp_path / "home", tmp_path / "copied"
    remember_host(home, "a.example:443", ["KEY"])
    remember_folder(home, tmp_path / "data")
    with (home / "consents.jsonl").open("a") as file:
        file.write('{"host": "b.example:443", "vari')
    remember_host(home, "a.example:443", ["OTHER"])
    given = read_consents(home)
    assert given.hosts == {"a.example:443": {"KEY", "OTHER"}} and given.allows_host("a.example:443", ["KEY"])
    assert not given.allows_host("a.example:443", ["THIRD"]) and not given.allows_host("b.example:443", [])
    assert given.allows_path(tmp_path / "data" / "x") and not given.allows_path(tmp_path / "database")
    shutil.copytree(home, copied)
    assert read_consents(copied).hosts == {} and (home / "consents.jsonl").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("way", ["absolute", "above", "linked", "model", "model link"])
def test_an_input_outside_the_project_is_read_once_it_is_allowed(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    outside, spec = tmp_path / "outside", toy / "toy.yaml"
    outside.mkdir()
    shutil.copy(toy / "rows.jsonl", outside)
    shutil.copytree(toy / "base", outside / "base")
    named = {"absolute": f"file: {outside}/rows.jsonl", "above": "file: ../outside/rows.jsonl"}
    text = spec.read_text().replace("file: rows.jsonl", named.get(way, "file: rows.jsonl"))
    spec.write_text(text.replace("./base", "../outside/base") if way == "model" else text)
    if way == "linked":
        (toy / "rows.jsonl").unlink()
        (toy / "rows.jsonl").symlink_to(outside / "rows.jsonl")
    if way == "model link":
        (toy / "base" / "notes.txt").symlink_to(outside / "rows.jsonl")
    assert factory(["data", str(spec), "--plain"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert f"reads {outside}" in said and f"allow it with --allow-path {outside}" in said
    assert not list(find_home().glob("store/*/*/output"))
    assert factory(["plan", str(spec)]) == 0
    assert "outside of the project" in " ".join(capsys.readouterr().out.split())
    assert factory(["data", str(spec), "--plain", "--allow-path", str(outside)]) == 0
    assert factory(["data", str(spec), "--plain", "--set", "data.split.seed=8"]) == 0, "the home remembers"


def test_a_project_begins_at_its_repository_or_home_but_never_is_the_whole_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, spec = tmp_path / "account", tmp_path / "account" / "work" / "specs"
    (account / ".git").mkdir(parents=True)
    spec.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(account))
    assert find_project_folder(spec) == spec
    (account / "work" / ".git").mkdir()
    assert find_project_folder(spec) == account / "work"


def test_a_folder_of_a_hub_snapshot_belongs_to_its_model(toy: Path, tmp_path: Path) -> None:
    blobs, snapshot = toy / "models--a--b" / "blobs", toy / "models--a--b" / "snapshots" / "c"
    snapshot.parent.mkdir(parents=True)
    shutil.move(toy / "base", blobs)
    snapshot.mkdir()
    for file in blobs.iterdir():
        (snapshot / file.name).symlink_to(file)
    (toy / "toy.yaml").write_text((toy / "toy.yaml").read_text().replace("./base", "./models--a--b/snapshots/c"))
    assert factory(["data", str(toy / "toy.yaml"), "--plain"]) == 0


