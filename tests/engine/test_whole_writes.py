"""What is told as written is on disk whole; where a disk is full, that is said, and nothing half-written stays."""

import errno
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import toy_builds as builds

from factory.data.review_decisions import ReviewDecision, append_decisions, read_decisions
from factory.events import Measured, Noted, RunFinished, StageCached, from_json, to_json
from factory.llm.ledger import BudgetTerms, Ledger, read_ledger
from factory.store.fsync import append_line, open_append
from factory.store.journal import Journal, read_events
from factory.store.looks import Look, read_looks, record_look


def journal(home: Path, text: str) -> None:
    with Journal(home / "journal.jsonl") as file:
        file.write(Noted("train", "info", text))


def ledger(home: Path, text: str) -> None:
    with_terms = Ledger(home / "ledger.jsonl", BudgetTerms("icd"))
    with_terms.record_attempt_end("a1", "ok", tokens_in=5, tokens_out=7, key=text)


def decision(home: Path, text: str) -> None:
    append_decisions(home / "decisions.jsonl", [ReviewDecision("row", "ada", "accept", note=text)])


def look(home: Path, text: str) -> None:
    record_look(home, Look(text, (text,), text, "train", "icd"))


READERS: dict[Callable[[Path, str], None], Callable[[Path], int]] = {
    journal: lambda home: len(list(read_events(home / "journal.jsonl"))),
    ledger: lambda home: len(list(read_ledger(home / "ledger.jsonl"))),
    decision: lambda home: len(read_decisions(home / "decisions.jsonl").decisions),
    look: lambda home: len(read_looks(home)),
}


def write_until_full(write: Callable[[Path, str], None], home: Path, limit: int) -> int:
    """Write with a limit on the size of files, as on a disk that gets full; returns how many were told as done."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for count in range(200):
        try:
            write(home, f"{count}-" + "x" * 90)
        except OSError as error:
            assert error.errno in (errno.EFBIG, errno.ENOSPC) and str(home) in str(error.filename)
            return count
    raise AssertionError("the disk was never full")


@pytest.mark.parametrize("write", list(READERS), ids=lambda write: write.__name__)
@pytest.mark.parametrize("limit", [700, 1203, 2050])
def test_on_a_full_disk_all_that_was_told_as_written_is_there(
    write: Callable[[Path, str], None], limit: int, tmp_path: Path
) -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        told = pool.apply(write_until_full, (write, tmp_path, limit))
    assert told and READERS[write](tmp_path) == told
    (file,) = tmp_path.glob("*.jsonl")
    assert file.read_bytes().endswith(b"\n")  # what was written of the last line was taken back
    write(tmp_path, "when there is space again")
    assert READERS[write](tmp_path) == told + 1


def test_a_write_that_takes_only_a_part_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, bytes(data[:7])))
    journal(tmp_path, "a note of more than seven bytes")
    monkeypatch.undo()
    assert [event for _, event in read_events(tmp_path / "journal.jsonl")] == [
        Noted("train", "info", "a note of more than seven bytes")
    ]


def append_many(path: Path, worker: int) -> None:
    handle = open_append(path)
    for count in range(50):
        append_line(handle, json.dumps([worker, count, "x" * 5000]).encode(), path, sync=False)


def test_lines_of_several_processes_stay_apart(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(append_many, [(tmp_path / "lines", worker) for worker in range(4)])
    lines = [json.loads(line)[:2] for line in (tmp_path / "lines").read_bytes().splitlines()]
    assert sorted(lines) == [[worker, count] for worker in range(4) for count in range(50)]


def test_a_build_whose_journal_can_not_grow_ends_with_one_line(toy: Path, tmp_path: Path) -> None:
    limit = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000));"
        "from factory.cli import main; main(sys.argv[1:])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", limit, "build", "toy.yaml"], cwd=toy, capture_output=True, text=True, check=False,
        env={**os.environ, "FACTORY_HOME": str(tmp_path / "home")},
    )
    assert ended.returncode == 69 and "Traceback" not in ended.stderr, ended.stderr
    assert str(tmp_path / "home") in ended.stderr.splitlines()[-1]
    assert builds.build(toy / "toy.yaml", tmp_path / "home")[0] == 0


def test_a_loss_that_is_no_number_makes_a_line_of_valid_json(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as file:
        file.write(Measured("train", 1, {"loss": float("nan"), "rate": float("-inf"), "fine": 0.5}))

    def refuse(name: str) -> None:
        raise AssertionError(name)

    (line,) = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert json.loads(line, parse_constant=refuse)["values"] == {"loss": "NaN", "rate": "-Infinity", "fine": 0.5}
    ((_, event),) = read_events(tmp_path / "journal.jsonl")
    assert isinstance(event, Measured) and str(event.values) == "{'loss': nan, 'rate': -inf, 'fine': 0.5}"


def test_events_come_back_as_they_are() -> None:
    for event in (StageCached("base", "k"), RunFinished("r", "SHIP", 0, 1.5, "b"), Measured("train", 3, {"loss": 1})):
        assert from_json(json.loads(json.dumps(to_json(event)))) == event
