"""Torn and hostile source files: read rightly, or refused in one line that names the file."""

from __future__ import annotations

import json
import os
import random
from functools import cache
from pathlib import Path
from typing import Any

from source_cases import RECORDS, cases

from factory.errors import BAD_INPUT, UNAVAILABLE
from factory.testing import Case
from fault_kinds.damage import damage_file
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import judge_commands, observe, run_command, run_forked
from fault_kinds.world import write_project

HOSTILE = (
    b"", b"\0" * 5000, b"[" * 200_000, b'{"text": ' * 50_000, b"\xff\xfe" + "text,label\nä,ö\n".encode("utf-16-le"),
    b"\xef\xbb\xbf", b'{"text": "a", "label": 1e999}\n', b'{"text": "\\ud800", "label": "b"}\n', b"a" * 3_000_000,
    b'{"text": "a", "text": "b", "label": "c"}\n', b'text,label\n"unclosed,b\n' + b"x,y\n" * 1000, b"\n" * 100_000,
    b'{"text": ' + b"9" * 10_000 + b', "label": "b"}\n', b"PAR1" + b"\xff" * 100 + b"PAR1",
    b"SQLite format 3\0" + b"\0" * 4080,
    b"%YAML 9\n&a [*a]\n", b"\x1b[31mtext\x1b[0m,label\nred,b\n", b"<!--" * 50_000, b"# " + b"#" * 100_000,
)


@cache
def list_cases() -> dict[str, Case]:
    """Kind → files and fields: those of the tests, and JSON lines."""
    rows = "".join(json.dumps(record) + "\n" for record in RECORDS)
    jsonl = Case(fields={"file": "x.jsonl", "columns": ["text", "label"]}, files={"x.jsonl": rows})
    found = {kind: case for kind, case in cases().items() if kind != "package"}
    return {"jsonl": jsonl, **found}


def make_hostile(file: Path, draw: random.Random) -> str:
    """Put a hostile file in place of a good one; returns the way."""
    match draw.randrange(10):
        case 0:
            file.unlink()
            os.mkfifo(file)
            return "a pipe"
        case 1:
            file.unlink()
            file.symlink_to(draw.choice(["/dev/zero", "/etc/hostname", "/nonexistent", ".", file.name]))
            return f"a link to {os.readlink(file)}"
        case 2:
            file.unlink()
            file.mkdir()
            return "a folder"
        case _:
            content = draw.choice(HOSTILE)
            file.write_bytes(content)
            return f"{content[:20]!r}…, {len(content)} bytes"


def inject_source_damage(fault: Fault) -> Observation:
    """Damage a file that a source reads, then check and read it."""
    draw = fault.create_random()
    kind = draw.choice(["jsonl", "jsonl", *list_cases()])
    case, spec = list_cases()[kind], write_project(fault.folder / "project")
    for name, content in case.files.items():
        file = spec.parent / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    chosen = spec.parent / draw.choice(sorted(case.files))
    way = make_hostile(chosen, draw) if draw.random() < 0.3 else damage_file(chosen, draw)
    spec.write_text(spec.read_text().replace(
        "{kind: labelled, file: rows.jsonl}", json.dumps({"kind": kind, **case.fields})
    ))
    run = run_forked(lambda: check_then_gather(spec), fault.folder, fault.folder / "home")
    failure = judge_commands(run, (0, BAD_INPUT, UNAVAILABLE))
    accepted = not failure and not run.value[-1]["code"]
    if accepted and kind == "jsonl" and chosen.is_file():
        failure = compare_rows(chosen, fault.folder / "home")
    return observe(f"{kind}, {chosen.name}: {way}", "accepted" if accepted else "refused", failure)


def check_then_gather(spec: Path) -> list[dict[str, Any]]:
    """Check a spec, then read its rows and audit them."""
    return [run_command("check", str(spec)), run_command("data", str(spec), "--plain")]


def compare_rows(file: Path, home: Path) -> tuple[str, Outcome] | None:
    """Return what is wrong with the rows of a file of JSON lines that was accepted: all, and as they stand."""
    lines = [json.loads(line) for line in file.read_bytes().split(b"\n") if line.strip()]
    wanted = [(str(line["text"]), line["label"]) for line in lines]
    (rows,) = home.glob("store/gather/*/output/rows.jsonl")
    found = [json.loads(line)["columns"] for line in rows.read_bytes().splitlines()]
    pairs = [(columns["text"], columns["label"]) for columns in found]
    if pairs != wanted:
        return f"{len(pairs)} rows were read of {len(wanted)}, or others", Outcome.WRONG_RESULT
    return None
