"""A stage without progress for ten minutes is noted, by a clock that the test winds; memory is a machine's share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from toy_builds import events
from toy_project import resolved

from factory.engine import build, quiet_watch
from factory.engine.quiet_watch import QuietWatch
from factory.errors import FactoryError
from factory.events import Event, Noted
from factory.spec.fields import Budget
from factory.store import machine_memory
from factory.store.machine_memory import measure_machine_bytes, parse_memory_limit


def test_a_silence_is_told_once_and_again_after_a_sign_of_life() -> None:
    now = [0.0]
    watch = QuietWatch(lambda: now[0])
    watch.hear("train")
    watch.hear("answer[bm25]")
    now[0] = 599.0
    watch.hear("train")
    assert watch.find_quiet() == []
    now[0] = 601.0
    (note,) = watch.find_quiet()
    assert note == Noted("answer[bm25]", "warning", "no progress for 10 minutes; it may hang: Ctrl-C stops the build")
    assert watch.find_quiet() == []
    watch.forget("answer[bm25]")
    now[0] = 1300.0
    assert [note.stage for note in watch.find_quiet()] == ["train"] and watch.find_quiet() == []
    watch.hear("train")
    now[0] = 2000.0
    assert [note.stage for note in watch.find_quiet()] == ["train"]


class HangingExecutor:
    """Its stages say nothing until a note was heard, then fail."""

    def __init__(self) -> None:
        self.noted = threading.Event()

    def hear(self, at: float, event: Event) -> None:
        if isinstance(event, Noted) and event.text.startswith("no progress"):
            self.noted.set()

    def run_stage(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        assert self.noted.wait(120)
        yield {"failed": "stopped", "exit_code": 69}

    def close(self) -> None:
        """Nothing runs."""


def test_a_build_notes_a_stage_that_hangs(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_watch, "QUIET_SECONDS", 0.0)
    (spec, registry), executor = resolved(toy), HangingExecutor()
    with pytest.raises(FactoryError, match="stopped"):
        build.run_build(spec, registry, tmp_path / "home", executor=executor, listener=executor.hear)
    assert [event.stage for event in events(tmp_path / "home") if isinstance(event, Noted)] == ["base"]


def test_the_default_memory_is_a_share_of_the_machine_or_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Budget().memory == "auto" and parse_memory_limit("4GiB") == 4 * 2**30
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(machine_memory, "CONTAINER_LIMIT_FILES", (str(tmp_path / "memory.max"),))
    whole = measure_machine_bytes()
    assert parse_memory_limit("auto") == pytest.approx(0.8 * whole)
    (tmp_path / "memory.max").write_text(f"{2**30}\n")
    assert parse_memory_limit("auto") == pytest.approx(0.8 * 2**30) and measure_machine_bytes() < whole
