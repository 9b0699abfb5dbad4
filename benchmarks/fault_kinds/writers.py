"""What appends to a home's files, and how many whole entries its readers find: for kills and full disks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from factory.api import ChatResponse
from factory.data.review_decisions import ReviewDecision, append_decisions, read_decisions
from factory.events import Noted
from factory.llm.ledger import BudgetTerms, Ledger, read_ledger
from factory.llm.response_cache import ResponseCache
from factory.store.consents import read_consents, remember_host
from factory.store.integrity import list_damage, seal_meta
from factory.store.journal import Journal, read_events
from factory.store.looks import Look, read_looks, record_look
from factory.store.outputs import Store
from factory.store.version_registry import (
    VersionFacts,
    list_registered,
    read_aliases,
    register_alias,
    register_versions,
)
from fault_kinds.fault import Observation, Outcome
from fault_kinds.isolated import observe, run_forked


@dataclass(frozen=True)
class Writer:
    """Writes entry number N to a home, and counts the entries that are whole."""

    write: Callable[[Path, int], None]
    count: Callable[[Path], int]


def write_event(home: Path, number: int) -> None:
    """Append an event to a journal."""
    with Journal(home / "journal.jsonl") as journal:
        journal.write(Noted("train", "info", f"{number}" + "x" * 90))


def count_events(home: Path) -> int:
    """Count the events of a journal, which may have been killed before it was there."""
    file = home / "journal.jsonl"
    return len(list(read_events(file))) if file.exists() else 0


def write_attempt_end(home: Path, number: int) -> None:
    """Book a request that was answered."""
    ledger = Ledger(home / "ledger.jsonl", BudgetTerms("icd"))
    ledger.record_attempt_end(f"{number}", "ok", tokens_in=5, tokens_out=7, key="x" * 90)
    ledger.close()


def write_decision(home: Path, number: int) -> None:
    """Append an expert's decision."""
    append_decisions(home / "decisions.jsonl", [ReviewDecision(f"row{number}", "ada", "accept", note="x" * 90)])


def write_look(home: Path, number: int) -> None:
    """Record a look at test rows."""
    record_look(home, Look(f"{number}", (f"{number}",), f"{number}", "train", "icd"))


def write_consent(home: Path, number: int) -> None:
    """Remember that a host was allowed."""
    remember_host(home, f"host{number}.example.org:443", ["KEY"])


def write_version(home: Path, number: int) -> None:
    """Give a bundle a number."""
    register_versions(home, "icd", {f"key{number}": VersionFacts(f"run{number}", "SHIP", 1.0)})


def write_alias(home: Path, number: int) -> None:
    """Point an alias to a bundle."""
    register_alias(home, "icd", f"alias-{number}", f"key{number}")


def write_answer(home: Path, number: int) -> None:
    """Keep a teacher's answer."""
    key = f"{number:064x}"
    ResponseCache(home / "calls").write_reply(ChatResponse(f"{number}" + "x" * 90, model="m", prompt_digest=key))


def count_answers(home: Path) -> int:
    """Count cached answers that are whole; one that is not would be asked for again, and is an error here."""
    files = [path for path in (home / "calls").glob("*/*.json") if not path.name.startswith(".")]
    return sum(len(json.loads(path.read_bytes())["text"]) >= 90 for path in files)


def write_output(home: Path, number: int) -> None:
    """Commit the output of a stage."""
    store = Store(home)
    output = store.locate_output("gather", f"key{number}")
    folder = store.begin(output)
    for name in ("rows.jsonl", "gather.json"):
        (folder / name).write_text(f"{number}\n" * 40)
    store.commit(output, seal_meta({"stage": "gather"}, folder, {}))


def count_outputs(home: Path) -> int:
    """Count complete outputs. Raises ValueError if one of them is damaged: presence means complete and intact."""
    outputs = list(Store(home).iter_complete_outputs())
    if damaged := [line for output in outputs for line in list_damage(output)]:
        raise ValueError(f"a committed output is damaged: {damaged[0]}")
    return len(outputs)


WRITERS: dict[str, Writer] = {
    "journal": Writer(write_event, count_events),
    "ledger": Writer(write_attempt_end, lambda home: len(list(read_ledger(home / "ledger.jsonl")))),
    "decisions": Writer(write_decision, lambda home: len(read_decisions(home / "decisions.jsonl").decisions)),
    "looks": Writer(write_look, lambda home: len(read_looks(home))),
    "consents": Writer(write_consent, lambda home: len(read_consents(home).hosts)),
    "versions": Writer(write_version, lambda home: len(list_registered(home))),
    "aliases": Writer(write_alias, lambda home: len(read_aliases(home, "icd"))),
    "answers": Writer(write_answer, count_answers),
    "outputs": Writer(write_output, count_outputs),
}


def write_until_failure(writer: Writer, home: Path, book: Path, most: int = 200) -> str:
    """Write entries until one fails; the book gets a byte for each that was reported as written.

    Returns the error; empty if all were written.
    """
    handle = os.open(book, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(most):
        try:
            writer.write(home, number)
        except OSError as error:
            return f"{error.errno} {error.filename}"
        os.pwrite(handle, b".", number)  # neither counted nor limited: faults concern `os.write`, and longer files
    return ""


def observe_written(
    folder: Path, writer: Writer, files: tuple[Path, Path], what: str, *, unreported: int
) -> Observation:
    """Compare what a stopped writer reported in its book with what is in the home, and write once more.

    `files` are home and book; up to `unreported` entries may be there that were not reported.
    """
    home, book = files
    told = book.stat().st_size if book.exists() else 0
    found = run_forked(lambda: writer.count(home), folder, home)
    again = run_forked(lambda: [writer.write(home, 999), writer.count(home)], folder, home)
    for each in (found, again):
        if failure := each.find_failure():
            return observe(what, "", failure)
    if not told <= found.value <= told + unreported or again.value[1] != found.value + 1:
        seen = f"{told} reported as written, {found.value} found, then {again.value[1]}"
        return Observation(what, seen, Outcome.LOST_WORK if found.value < told else Outcome.WRONG_RESULT)
    return Observation(what, "all that was reported is there")
