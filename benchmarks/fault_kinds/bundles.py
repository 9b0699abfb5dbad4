"""Damage of bundles: every changed bit is found by `verify`, and what was sealed again can harm nobody who loads it."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

from factory.bundle import load_manifest
from factory.bundle.manifest import write_manifest
from factory.errors import BAD_INPUT
from fault_kinds.damage import damage_file, flip_bit
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import ForkedRun, judge_commands, observe, run_command, run_forked
from fault_kinds.session import run_in_session

ADAPTER = "adapter_model.safetensors"
SIZES = (0, 1, 7, 2**31, 2**40, 2**63, 2**64 - 1)
FIELDS: tuple[Any, ...] = (
    None, -1, 2**63, [], {}, "F32", [0, 2**62], [-4, 0], [4, 0], [1.5], "../x", [[1]], True, "I99",
)
"""What a hostile header has in place of a type, a shape or offsets."""


def inject_bundle_damage(fault: Fault) -> Observation:
    """Flip a bit of a bundle, or damage, delete, add, rename or link one of its files: `verify` must find each."""
    draw, copied = fault.create_random(), fault.folder / "bundle"
    shutil.copytree(fault.world.bundle, copied)
    files = sorted(path for path in copied.rglob("*") if path.is_file())
    file = draw.choice(files)
    what = f"{file.relative_to(copied)}: {change_bundle_file(file, draw)}"
    run = run_in_session(fault.world, verify, str(copied))
    return observe(what, "refused", judge_commands(run, (BAD_INPUT,)))


def verify(folder: str) -> list[dict[str, Any]]:
    """Run `factory verify` on a folder."""
    return [run_command("verify", folder)]


def change_bundle_file(file: Path, draw: random.Random) -> str:
    """Change a file of a bundle, mostly by one bit; returns the way."""
    match draw.randrange(20):
        case 0:
            file.unlink()
            return "deleted"
        case 1:
            file.with_name(draw.choice(["x.txt", "model.pkl", "y.json", ".hidden"])).write_bytes(b"{}")
            return "another one was added beside it"
        case 2:
            file.rename(file.with_name(f"{file.stem}-2{file.suffix}"))
            return "renamed"
        case 3:
            elsewhere = file.with_name(f"{file.name}.moved")
            shutil.copyfile(file, elsewhere)
            file.unlink()
            file.symlink_to(elsewhere)
            return "replaced by a link to a copy"
        case 4 | 5 | 6:
            return damage_file(file, draw)
        case _:
            return damage_file(file, draw, (flip_bit,))


def mutate_header(data: bytes, draw: random.Random) -> bytes:
    """Return a safetensors file whose header was mutated: its length, its text, or the fields of a tensor."""
    length = int.from_bytes(data[:8], "little")
    header, rest = data[8 : 8 + length], data[8 + length :]
    match draw.randrange(4):
        case 0:
            return draw.choice(SIZES).to_bytes(8, "little") + header + rest
        case 1:
            header = flip_bit(header, draw)
        case 2:
            tree = json.loads(header)
            name = draw.choice([name for name in tree if name != "__metadata__"])
            tree[name][draw.choice(["dtype", "shape", "data_offsets"])] = draw.choice(FIELDS)
            header = json.dumps(tree).encode()
        case _:
            tree = json.loads(header)
            name = draw.choice([name for name in tree if name != "__metadata__"])
            tree[draw.choice(["../x", "", "x" * 10**5, name + ".more", "__metadata__"])] = tree.pop(name)
            header = json.dumps(tree).encode()
    return len(header).to_bytes(8, "little") + header + rest


def mutate_values(data: bytes, draw: random.Random) -> bytes:
    """Return a safetensors file with some weights overwritten, by NaN, by infinity or by chance."""
    start = 8 + int.from_bytes(data[:8], "little")
    at = start + 4 * draw.randrange((len(data) - start) // 4)
    value = draw.choice([b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\0\0\x80\xff", draw.randbytes(4)])
    return data[:at] + value + data[at + 4 :]


def inject_resealed_bundle(fault: Fault) -> Observation:
    """Change a bundle and write its manifest anew, as a stranger would: refused, or harmless to whoever loads it."""
    draw, copied = fault.create_random(), fault.folder / "bundle"
    shutil.copytree(fault.world.bundle, copied)
    weights = copied / ADAPTER
    if draw.random() < 0.75:
        change = draw.choice([mutate_header, mutate_header, mutate_values])
        weights.write_bytes(change(weights.read_bytes(), draw))
        what = f"{ADAPTER}: {change.__name__}"
    else:
        files = [path for path in copied.rglob("*") if path.is_file() and path.name != "manifest.json"]
        file = draw.choice(sorted(files))
        what = f"{file.relative_to(copied)}: {damage_file(file, draw)}"
    facts = {k: v for k, v in load_manifest(copied).items() if k not in ("files", "digest", "schema")}
    write_manifest(copied, facts)
    run = run_in_session(fault.world, verify, str(copied))
    failure = judge_commands(run, (0, BAD_INPUT))
    if failure or run.value[0]["code"]:
        return observe(f"{what}, sealed again", "refused", failure)
    loaded = run_forked(lambda: load_finite(weights), fault.folder, fault.folder / "home")
    return observe(f"{what}, sealed again", "harmless: it loads", judge_loaded(loaded))


def load_finite(weights: Path) -> bool:
    """Whether a file of weights loads as its users load it, with finite values only."""
    import numpy as np
    from safetensors.numpy import load_file

    return all(bool(np.isfinite(tensor).all()) for tensor in load_file(weights).values())


def judge_loaded(run: ForkedRun) -> tuple[str, Outcome] | None:
    """Return what is wrong if weights that `verify` passes do not load."""
    if run.find_failure() or run.value is not True:
        return f"verify passes weights that do not load: {run.errors[-300:]}", Outcome.WRONG_RESULT
    return None
