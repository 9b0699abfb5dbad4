"""The store: presence means complete."""

import threading
from pathlib import Path

import pytest
from toy_builds import PATIENCE

from factory.store.outputs import Store


def test_an_output_appears_only_when_it_is_committed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("answer[bm25]", "k1")
    out = store.begin(place)
    (out / "answers.jsonl").write_text("{}\n")
    assert not place.is_complete
    assert not place.output.exists()
    store.commit(place, {"seconds": 1})
    assert place.is_complete
    assert (place.output / "answers.jsonl").read_text() == "{}\n"
    assert place.read_meta() == {"seconds": 1}
    assert [found.key for found in store.iter_complete_outputs()] == ["k1"]


def test_what_a_killed_try_wrote_is_dropped_but_its_work_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("train", "k2")
    (store.begin(place) / "half.bin").write_text("half")
    (place.work_folder / "work" / "checkpoint").write_text("step 3")
    again = store.begin(place)
    assert list(again.iterdir()) == []
    assert (place.work_folder / "work" / "checkpoint").read_text() == "step 3"


def test_the_working_folder_is_not_part_of_the_output(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("train", "k3")
    store.begin(place)
    (place.work_folder / "work" / "checkpoint").write_text("step 3")
    store.commit(place, {})
    assert sorted(path.name for path in place.final_folder.iterdir()) == ["output", "stage.json"]


def test_two_builders_of_one_place_take_turns(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("base", "k4")
    said = threading.Event()
    done: list[str] = []

    def second() -> None:
        with store.lock_output(place, said.set):
            done.append("second")

    with store.lock_output(place):
        thread = threading.Thread(target=second)
        thread.start()
        assert said.wait(PATIENCE)
        done.append("first")
    thread.join(PATIENCE)
    assert done == ["first", "second"]


def test_a_forgotten_output_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    place = store.locate_output("gate", "k5")
    store.begin(place)
    store.commit(place, {})
    store.forget(place)
    assert not place.is_complete
    assert list(store.iter_complete_outputs()) == []


def test_what_a_stage_resumes_from_stays_until_its_output_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    place = store.locate_output("train", "k6")
    store.begin(place)
    (place.work_folder / "work" / "checkpoint").write_text("so far")
    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("the disk is gone")))
        with pytest.raises(OSError, match="the disk is gone"):
            store.commit(place, {})
    assert (place.work_folder / "stage.json").is_file() and list(store.iter_complete_outputs()) == []
    store.begin(place)
    assert (place.work_folder / "work" / "checkpoint").read_text() == "so far"
    store.commit(place, {})
    assert sorted(path.name for path in place.final_folder.iterdir()) == ["output", "stage.json"]
    assert not list(tmp_path.rglob("*.gone"))
