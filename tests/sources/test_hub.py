"""A dataset of the hub, from a hub on this machine: data files are read, and nothing is run."""

import json
import os
import subprocess
import sys
from pathlib import Path

from hub_parts import commit, hub
from places import SUPPORT

CODE = """
import json, sys
from pathlib import Path
from source_parts import read
from factory_sources.dataset import Dataset
hosts = set()
sys.addaudithook(lambda event, given: event == "socket.getaddrinfo" and hosts.add(given[0]))
for block in json.loads(sys.argv[1]):
    try:
        rows = read(Dataset(name="owner/name", **{"columns": ["text"], **block}), Path("."))
        print(json.dumps([[row.id, dict(row.columns), row.provenance.source] for row in rows]))
    except (ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}")
print(*hosts - {"127.0.0.1"}, sep=", ")
"""
FILES = {"data/train.csv": "text,label\nhello 👋🏽,a\nworld,b\n".encode(), "data/test.csv": b"text,label\nlate,a\n"}


def said(folder: Path, address: str, *blocks: dict) -> list[str]:
    """What a fresh process says that reads owner/name there, block by block: rows, or what went wrong."""
    environment = {
        **os.environ, "HF_ENDPOINT": address, "HF_HOME": str(folder / "hf"), "PYTHONPATH": str(SUPPORT),
        "HF_HUB_OFFLINE": "" if address else "1",
    }
    run = [sys.executable, "-c", CODE, json.dumps([{"revision": commit("v1"), **block} for block in blocks])]
    told = subprocess.run(run, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return told.stdout.splitlines()


def test_a_commit_of_a_dataset_gives_rows_and_never_those_of_another(tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'ran')!r}, 'w').write('code of a dataset')\n".encode()
    files = {"v1": FILES, "v2": {"data/train.csv": b"text\nnew\n"}, "coded": {**FILES, "name.py": script}}
    with hub(files) as (at, asked):
        rows, late, second, coded, unknown, part, column, others = said(
            tmp_path, at, {"columns": ["text", "label"]}, {"dataset_split": "test"}, {"revision": commit("v2")},
            {"revision": commit("coded")}, {"revision": commit("v9")}, {"dataset_split": "dev"}, {"columns": ["body"]},
        )
    place = f"owner/name@{commit('v1')[:12]}"
    assert json.loads(rows) == [["name#1", {"text": "hello 👋🏽", "label": "a"}, place],
                                ["name#2", {"text": "world", "label": "b"}, place]]
    assert [row[1]["text"] for row in (*json.loads(late), *json.loads(second))] == ["late", "new"]
    other = "this commit cannot be downloaded, and the cache only has another one; check `revision`"
    assert coded == f"ValueError: owner/name@{commit('coded')[:12]}: {other}" and not (tmp_path / "ran").exists()
    assert unknown.startswith(f"ValueError: owner/name@{commit('v9')[:12]}: Revision ")
    assert part == f"ValueError: {place}: dev: no such split; the dataset has train, test"
    assert column == f"ValueError: {place}: body: no such column; the table has text, label"
    assert not any("/main" in path for path in asked) and others == ""


def test_a_hub_that_can_not_be_reached_is_said(tmp_path: Path) -> None:
    place = f"owner/name@{commit('v1')[:12]}"
    assert said(tmp_path, "", {}) == [f"ConnectionError: [Errno 0] cannot reach the hub: {place!r}", ""]
