"""Damage of stage outputs and of a home's own files: noticed by whoever reads, and made again by the same command."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

from factory.errors import BAD_INPUT, UNAVAILABLE
from factory.events import Noted, StageStarted
from factory.store.consents import remember_folder, remember_host
from factory.store.journal import list_journals, read_events
from factory.store.outputs import META_FILE
from factory.store.version_registry import list_registered, read_aliases, register_alias
from fault_kinds.damage import damage_file
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import ForkedRun, judge_commands, observe, run_command, run_forked
from fault_kinds.world import digest_outputs, find_last_end

LISTINGS = (["runs"], ["runs", "--json"], ["specialists"], ["specialists", "--json"], ["gc", "--dry-run"])


def damage_output(store: Path, draw: random.Random) -> tuple[Path, str]:
    """Damage, delete, add or exchange a file of an output; returns the file, and what was done."""
    files = sorted(path for path in store.glob("*/*/**/*") if path.is_file())
    file, other = draw.choice(files), draw.choice(files)
    match draw.randrange(10):
        case 0:
            file.unlink()
            return file, "deleted"
        case 1 if file.name != META_FILE:
            file.with_name("added.json").write_text("{}")
            return file.with_name("added.json"), "added"
        case 2 if file.read_bytes() != other.read_bytes():
            shutil.copyfile(other, file)
            return file, f"replaced by {other.relative_to(store)}"
        case 3 if file.name != META_FILE:
            file.unlink()
            file.symlink_to("/nonexistent")
            return file, "replaced by a link to nowhere"
        case _:
            before = file.read_bytes()
            way = damage_file(file, draw)
            # Metadata is sealed by its values: other spaces, or a field that is there twice, change none.
            while file.name == META_FILE and is_same_json(before, file.read_bytes()):
                way = damage_file(file, draw)
            return file, way


def is_same_json(before: bytes, after: bytes) -> bool:
    """Whether two texts hold the same JSON values; false for what is no JSON."""
    try:
        return bool(json.loads(before) == json.loads(after))
    except ValueError:
        return False


def inject_store_damage(fault: Fault) -> Observation:
    """Damage stage outputs, read them, then run the same build twice."""
    draw, home, world = fault.create_random(), fault.folder / "home", fault.world
    shutil.copytree(world.home, home)
    changed = [damage_output(home / "store", draw) for _ in range(draw.choice([1, 1, 1, 2, 4]))]
    what = "; ".join(f"{file.relative_to(home / 'store')}: {way}" for file, way in changed)
    reading = draw.choice([["show", "latest"], ["try", "toy", "--query", "cat1 dog2"], ["verify", "toy"]])
    read = run_forked(lambda: [run_command("verify", "--store"), run_command(*reading)], fault.folder, home)
    if failure := judge_commands(read, (0, 1, BAD_INPUT, UNAVAILABLE)):
        return observe(what, "", failure)
    if read.value[0]["code"] != 1:
        return Observation(what, "`verify --store` did not notice it", Outcome.WRONG_RESULT)
    built = run_forked(lambda: [run_command("build", str(world.spec)), run_command("build", str(world.spec))],
                       fault.folder, home)
    failure = judge_commands(built, (0,)) or compare_rebuilt(home, world.outputs)
    return observe(what, "noticed and made again", failure)


def compare_rebuilt(home: Path, right: dict[str, str]) -> tuple[str, Outcome] | None:
    """Return what is wrong after a damaged home was built twice: another result, no note, or work left over."""
    found = digest_outputs(home)
    if found != right:
        names = sorted(name for name in {*found, *right} if found.get(name) != right.get(name))
        return f"other outputs: {', '.join(names)[:300]}", Outcome.WRONG_RESULT
    mended, again = ([event for _, event in read_events(journal)] for journal in list_journals(home)[-2:])
    redone = [event.stage for event in mended if isinstance(event, StageStarted)]
    notes = [event for event in mended if isinstance(event, Noted) and "made again" in event.text]
    started = [event for event in mended if isinstance(event, StageStarted) and event.why.startswith("missing")]
    if not redone or not (notes or started):
        return f"ran {redone} without a word", Outcome.WRONG_RESULT
    if more := [event.stage for event in again if isinstance(event, StageStarted)]:
        return f"the next build ran {more}", Outcome.LOST_WORK
    return None


def make_lived_in(home: Path) -> None:
    """Give a home what months leave behind: answers of teachers, consents, aliases, a second version."""
    answer = home / "cache" / "calls" / "ab" / f"{'ab' * 16}.json"
    answer.parent.mkdir(parents=True)
    answer.write_text('{"text": "yes", "model": "m", "tokens_in": 1, "tokens_out": 1, "cost": 0, "seconds": 0.1}')
    lines = [{"at": 1.0, "build": "toy", "id": str(n), "status": "sent"} for n in range(3)]
    (home / "cache" / "calls" / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    remember_host(home, "llm.example.org:80", ["KEY"])
    remember_folder(home, Path("/srv/data"))
    (version,) = list_registered(home)
    register_alias(home, "toy", "shipped", version.key)
    register_alias(home, "toy", "canary", version.key)


def list_home_files(home: Path) -> list[Path]:
    """Return the files of a home outside of the store, empty ones such as locks left out."""
    files = [path for path in home.rglob("*") if path.is_file() and home / "store" not in path.parents]
    return sorted(path for path in files if path.stat().st_size)


def inject_home_damage(fault: Fault) -> Observation:
    """Damage one of a home's own files, then list, show and build."""
    draw, home, world = fault.create_random(), fault.folder / "home", fault.world
    shutil.copytree(world.home, home)
    make_lived_in(home)
    key, before = list_registered(home)[0].key, read_aliases(home, "toy")
    file = draw.choice(list_home_files(home))
    what = f"{file.relative_to(home)}: {damage_file(file, draw)}"
    run = run_forked(lambda: read_everything(draw.choice(LISTINGS), str(world.spec)), fault.folder, home)
    failure = judge_home_commands(run)
    if not failure and [(entry.number, entry.key) for entry in list_registered(home)] != [(1, key)]:
        failure = "the number of the version changed", Outcome.WRONG_RESULT
    if not failure and read_aliases(home, "toy") != before:
        failure = "an alias was lost", Outcome.WRONG_RESULT
    if not failure and digest_outputs(home) != world.outputs:
        failure = "other outputs", Outcome.WRONG_RESULT
    noticed = "noticed by `verify --store`" if run.value and run.value[0]["code"] else "harmless"
    return observe(what, noticed, failure)


def read_everything(listing: list[str], spec: str) -> list[dict[str, Any]]:
    """Run what reads a home."""
    checked = run_command("verify", "--store")
    shown = [run_command(*listing), run_command("show", "latest")]
    return [checked, *shown, run_command("build", spec), run_command("runs", "--json")]


def judge_home_commands(run: ForkedRun) -> tuple[str, Outcome] | None:
    """Return what is wrong with the commands of `read_everything` on a home with one damaged file."""
    if failure := judge_commands(run, (0, 1, BAD_INPUT, UNAVAILABLE)):
        return failure
    _, listed, _, built, runs = run.value
    if listed["code"] or built["code"] or runs["code"]:
        return f"{listed['code']} {built['code']} {built['err'][-300:]}", Outcome.WRONG_RESULT
    try:
        json.loads(runs["out"], parse_constant=refuse_constant)
    except ValueError as error:
        return f"runs --json: {error}", Outcome.WRONG_RESULT
    return None


def refuse_constant(name: str) -> None:
    """Raise ValueError for NaN and infinity, which JSON does not have."""
    raise ValueError(f"{name} is not JSON")


def check_last_verdict(home: Path) -> tuple[str, Outcome] | None:
    """Return what is wrong with the end of the newest run if it is not a whole SHIP."""
    end = find_last_end(home)
    return None if end and end.verdict == "SHIP" else (f"the newest run ended as {end}", Outcome.WRONG_RESULT)
