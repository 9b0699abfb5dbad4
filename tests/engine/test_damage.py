"""A stored output that a disk or a hand has damaged is noticed by whoever reads it, and made again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import toy_builds as builds

from factory.cli import run_command_line
from factory.events import Noted
from factory.runs.run_index import RunIndex
from factory.store.integrity import is_intact, list_changed_inputs, list_damage, seal_meta
from factory.store.journal import find_last_plan
from factory.store.outputs import StageOutput, Store


def find_output(home: Path, stage: str) -> StageOutput:
    return Store(home).locate_output(stage, find_last_plan(home, "toy")[stage]["key"])


def flip(path: Path, at: int = -3) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def swap_labels(path: Path) -> None:
    path.write_text(path.read_text().replace('"label":"cat"', '"label":"dog"'))


DAMAGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "freeze": ("output/test.jsonl", swap_labels, "test.jsonl: was changed"),
    "curate": ("output/train.jsonl", Path.unlink, "train.jsonl: is missing"),
    "train": ("stage.json", lambda path: path.write_bytes(path.read_bytes()[:90]), "stage.json: is not JSON"),
    "answer[tuned]": ("output/more.txt", lambda path: path.write_text("more"), "more.txt: was added"),
    "gate": ("output/gate.json", flip, "gate.json: was changed"),
    "bundle": ("output/words.json", flip, "words.json: was changed"),
    "base": ("stage.json", lambda path: path.write_text(path.read_text().replace('"seconds": ', '"seconds": 1')),
             "stage.json: was changed"),
}


def test_the_same_command_makes_damaged_outputs_again_and_says_so(toy: Path, tmp_path: Path) -> None:
    spec, home = toy / "toy.yaml", tmp_path / "home"
    assert builds.build(spec, home)[0] == 0
    digest = builds.digest(home)
    for stage, (name, damage, _) in DAMAGE.items():
        damage(find_output(home, stage).final_folder / name)
    assert builds.build(spec, home)[0] == 0
    assert set(builds.ran(home)) == set(DAMAGE) and builds.digest(home) == digest
    notes = [(event.stage, event.text) for event in builds.events(home) if isinstance(event, Noted)]
    for stage, (_, _, problem) in DAMAGE.items():
        assert any(problem in text and "made again" in text for name, text in notes if name == stage), stage
    assert all(is_intact(find_output(home, stage)) for stage in find_last_plan(home, "toy"))
    assert builds.build(spec, home)[0] == 0 and builds.ran(home) == []
    aside = find_output(home, "freeze").final_folder.with_suffix(".damaged")
    assert '"label":"cat"' not in (aside / "output" / "test.jsonl").read_text()
    assert run_command_line(["gc"]) == 0 and not list(home.glob("store/*/*.damaged"))


def test_another_build_does_not_judge_by_labels_that_were_changed(toy: Path, tmp_path: Path) -> None:
    spec, home = toy / "toy.yaml", tmp_path / "home"
    assert builds.build(spec, home)[0] == 0
    swap_labels(find_output(home, "freeze").output / "test.jsonl")
    assert builds.build(spec, home, "--set", "gate.margin=0.01")[0] == 0
    assert {"freeze", "gate"} <= set(builds.ran(home)) and '"label":"cat"' in (
        find_output(home, "freeze").output / "test.jsonl"
    ).read_text()


def test_commands_that_read_a_damaged_file_name_it(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert builds.build(toy / "toy.yaml", home)[0] == 0
    flip(find_output(home, "gate").output / "gate.json", at=20)
    flip(find_output(home, "bundle").output / "words.json")
    for command, file in {"show": "gate.json", "try": "words.json"}.items():
        arguments = ["--query", "cat1"] if command == "try" else []
        assert run_command_line([command, "toy", *arguments]) == 69
        assert f"{file}: was changed" in capsys.readouterr().err
    # A list shows the run, without figures that nobody judged.
    (run,) = RunIndex(home).refresh().list_runs()
    assert run.verdict == "SHIP" and run.score is None
    assert run_command_line(["runs"]) == 0


def test_the_whole_home_is_checked_on_request(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert builds.build(toy / "toy.yaml", home)[0] == 0
    answer = home / "cache" / "calls" / "ab" / "abcd.json"
    answer.parent.mkdir(parents=True)
    answer.write_text('{"text": "yes"}')
    (home / "cache" / "calls" / "ledger.jsonl").write_text('{"status": "ok"}\n')
    assert run_command_line(["verify", "--store"]) == 0
    note = capsys.readouterr().err
    for count in ("outputs", "1 bundles", "1 versions", "1 journals", "2 ledgers", "1 cached answers"):
        assert count in note, note
    flip(find_output(home, "bundle").output / "words.json")
    flip(find_output(home, "gate").output / "gate.json")
    (entry,) = home.glob("versions/toy/v*.json")
    (run,) = home.glob("runs/*/journal.jsonl")
    for path in (entry, run, answer, home / "looks.jsonl", home / "cache" / "calls" / "ledger.jsonl"):
        path.write_bytes(path.read_bytes()[:-4])
    assert run_command_line(["verify", "--store"]) == 1
    problems = capsys.readouterr().out.splitlines()
    for text in (
        "/output: words.json: was changed", "/output: gate.json: was changed", "versions/toy/v000001: ",
        "journal.jsonl:", "abcd.json: is not JSON", "looks.jsonl:1: the line is unfinished", "ledger.jsonl:1: ",
    ):
        assert any(text in problem for problem in problems), (text, problems)
    assert len(problems) == 8  # a damaged bundle is a damaged output too
    assert run_command_line(["verify"]) == 64 and run_command_line(["verify", "toy", "--store"]) == 64


def commit(store: Store, place: StageOutput, content: str, **inputs: StageOutput) -> None:
    out = store.begin(place)
    (out / "rows.jsonl").write_text(content)
    store.commit(place, seal_meta({"seconds": 1.5, "identity": {"x": [1, 0.1]}}, out, inputs))


def test_no_flipped_bit_of_the_metadata_passes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("gather", "k1")
    commit(store, place, "{}\n")
    assert list_damage(place) == [] and place.read_meta() == {"seconds": 1.5, "identity": {"x": [1, 0.1]}}
    meta = place.final_folder / "stage.json"
    whole = meta.read_bytes()
    for at in range(len(whole) * 8):
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        spare = meta.with_suffix(".new")
        spare.write_bytes(data)
        spare.replace(meta)  # another inode: what this process has checked was another file
        assert list_damage(place), data


def test_an_input_that_came_out_otherwise_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    train, answer = store.locate_output("train", "k1"), store.locate_output("answer", "k2")
    commit(store, train, "first\n")
    commit(store, answer, "answers\n", train=train)
    assert list_changed_inputs(answer, {"train": train}) == []
    store.set_aside(train)
    commit(store, train, "second\n")
    assert list_changed_inputs(answer, {"train": train}) == ["train"]


def test_an_output_of_an_older_factory_is_taken_as_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("gather", "k1")
    store.begin(place)
    store.commit(place, {"stage": "gather", "seconds": 1.5})
    assert is_intact(place)
    shutil.rmtree(place.output)
    assert list_damage(place) == ["output: is missing"]


def test_another_file_in_place_of_the_metadata_is_no_older_factory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("gather", "k1")
    commit(store, place, "{}\n")
    (place.final_folder / "stage.json").write_text('{"rows": 7}')
    (place.output / "rows.jsonl").write_text("other\n")
    assert list_damage(place) == ["stage.json: was changed"]


def test_a_damaged_split_does_not_stop_the_build_that_makes_it_again(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, home = toy / "toy.yaml", tmp_path / "home"
    assert builds.build(spec, home)[0] == 0
    split, metadata = find_output(home, "freeze"), find_output(home, "bundle").final_folder / "stage.json"
    (split.output / "freeze.json").write_text('{"counts": {"test": 6')
    metadata.unlink()
    assert run_command_line(["verify", "--store"]) == 1
    told = capsys.readouterr().out
    assert "freeze.json: was changed" in told and "/output: stage.json is missing" in told
    assert builds.build(spec, home)[0] == 0 and {"freeze", "bundle"} <= set(builds.ran(home))
    assert run_command_line(["verify", "--store"]) == 0


def test_a_large_output_is_read_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    place = store.locate_output("base", "k1")
    commit(store, place, json.dumps("x" * 2**20))
    read: list[Path] = []
    from factory import identity

    digest_file = identity.digest_file
    monkeypatch.setattr(identity, "digest_file", lambda path: read.append(path) or digest_file(path))
    for _ in range(3):
        assert list_damage(place) == []
    assert read == [place.output / "rows.jsonl"]
