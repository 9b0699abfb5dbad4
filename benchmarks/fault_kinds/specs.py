"""Mutated specs: `factory check` accepts or refuses each in clear lines, and `plan` takes what it accepts."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from factory.errors import BAD_INPUT, UNAVAILABLE
from fault_kinds import ROOT
from fault_kinds.damage import damage_file
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import ForkedRun, judge_commands, observe, run_command
from fault_kinds.session import run_in_session
from fault_kinds.world import write_project

BAD_SPECS = ROOT / "tests" / "spec" / "bad_specs"
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1e308, float("nan"), float("inf"), "", " ", "x" * 5000, "\x1b[31m", "\u202e", "../..",
    "/etc/passwd", "/dev/zero", "~", "a\nb", "1e5", "0x10", "auto", [], {}, [[]], [None], {"kind": None},
    {"kind": "nothing"}, [[[[["deep"]]]]], {"a": {"b": {"c": 1}}}, "${HOME}", "{text!r}", "*", "&a", "!!python/object",
    "2026-11-30", "12:30:45", "wheel:x==1", "http://127.0.0.1:9/v1", 3.5, 2**63, "مرحبا", "\0", ["a", "a"],
)
SNIPPETS = (
    "&a [*a]", "*b", "!!python/object/apply:os.system ['true']", "<<: *x", "? a", "- - - -", "\t", "{", "}", "[", "|\n",
    ">\n", "---\n", "%YAML 9\n", "'", '"', ": : :", "\ud7ff", "\ufeff", "#", "a: 1\na: 1\n", "[" * 200, "{a: " * 120,
)
REPLACEMENTS = (
    ("  ", "\t"), (": ", ":"), ("- ", "-"), ("\n", "\n\n "), ("\n", ""), ("e", "E"), ("_", "-"), ("kind", "knid"),
)
"""What a slip of the hand turns into what."""


def iterate_places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of every value of a tree."""
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from iterate_places(tree[key])


def mutate_tree(text: str, draw: random.Random) -> str:
    """Change up to three values or names of a spec; raises YAMLError or ValueError if there is nothing to change."""
    tree = yaml.safe_load(text)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        container, key = draw.choice(list(iterate_places(tree)) or [({"a": 1}, "a")])
        other, more = draw.choice(list(iterate_places(tree)) or [({"a": 1}, "a")])
        match draw.randrange(6):
            case 0 | 1 | 2:
                container[key] = draw.choice(VALUES)
            case 3:
                del container[key]
            case 4 if isinstance(container, dict):
                name = draw.choice([f"{key}s", str(key).upper(), "", "kind", draw.choice(("x", 7))])
                container[name] = container[key]
            case _:
                container[key] = copy.deepcopy(other[more])
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def mutate_text(text: str, draw: random.Random) -> str:
    """Change the text of a spec in up to three places."""
    for _ in range(draw.choice([1, 1, 2, 3])):
        at = draw.randrange(len(text) + 1)
        if draw.random() < 0.6:
            text = text[:at] + draw.choice(SNIPPETS) + text[at:]
        else:
            before, after = draw.choice(REPLACEMENTS)
            text = text[:at] + text[at:].replace(before, after, draw.choice([1, 1, 5]))
    return text


def write_mutated(file: Path, draw: random.Random) -> str:
    """Write a mutated spec in place of a good one; returns the way."""
    # Bad specs hold aliases that unfold to gigabytes: only their text is mutated.
    way = draw.choice(["text", "bytes"] if file.stem.endswith("-bad") else ["tree", "tree", "text", "bytes"])
    try:
        if way == "tree":
            file.write_text(mutate_tree(file.read_text(), draw))
        elif way == "text":
            file.write_text(mutate_text(file.read_text(), draw), encoding="utf-8")
    except (yaml.YAMLError, ValueError, TypeError, KeyError, IndexError, RecursionError):
        way = "bytes"
    return damage_file(file, draw) if way == "bytes" else way


def inject_mutated_spec(fault: Fault) -> Observation:
    """Check a mutated spec, and plan it where it is accepted."""
    draw = fault.create_random()
    folder = fault.world.folder / "specs"
    if not folder.is_dir():
        shutil.copytree(ROOT / "specs", folder)
        write_project(folder / "toy")
    good = [*sorted((ROOT / "specs").glob("*.yaml")), *[fault.world.spec] * 4]
    chosen = draw.choice(good if draw.random() < 0.8 else sorted(BAD_SPECS.glob("*.yaml")))
    end = "-bad" if chosen.parent == BAD_SPECS else ""
    file = (folder / "toy" if chosen == fault.world.spec else folder) / f"mutated-{fault.number}{end}.yaml"
    shutil.copyfile(chosen, file)
    way = write_mutated(file, draw)
    run = run_in_session(fault.world, check_then_plan, str(file))
    file.unlink()
    what = f"{chosen.name} changed by {way}"
    failure = judge_commands(run, (0, BAD_INPUT, UNAVAILABLE)) or find_contradiction(run)
    return observe(what, "refused" if run.value and run.value[0]["code"] else "accepted", failure)


def check_then_plan(file: str) -> list[dict[str, Any]]:
    """Check a spec, and plan it if it is valid."""
    checked = run_command("check", file)
    return [checked] if checked["code"] else [checked, run_command("plan", file, "--json")]


def find_contradiction(run: ForkedRun) -> tuple[str, Outcome] | None:
    """Return what is wrong with commands that ended well one by one: disagreement, or raw control characters."""
    if run.value[-1]["command"] == "plan" and run.value[-1]["code"]:
        return f"check accepts what plan refuses: {run.value[-1]['err'].strip()[-300:]}", Outcome.WRONG_RESULT
    for each in run.value:
        if "\x1b[31m" in each["err"] + each["out"] or "\u202e" in each["err"]:
            return f"{each['command']}: raw control characters: {each['err'][-300:]!r}", Outcome.WRONG_RESULT
    return None
