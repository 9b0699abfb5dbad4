"""The toy: its plugin package, its spec, and rows that counting words answers well."""

import random
from pathlib import Path

from places import PACKAGES

TOY = PACKAGES / "toy"
SPEC = """\
apiVersion: factory/v1
name: toy
task: toy
models:
  student: ./base
data:
  sources:
    - {kind: labelled, file: rows.jsonl}
  split: {test: 60, validation: 10}
  leakage: {jaccard: 0.95}
"""


def rows(count: int = 160, seed: int = 3) -> list[dict[str, str]]:
    """Texts of five words, three of which belong to their label."""
    draw = random.Random(seed)
    words = {label: [f"{label}{n}" for n in range(40)] for label in ("cat", "dog", "owl")}
    noise = [f"word{n}" for n in range(200)]
    made = []
    for number in range(count):
        label = draw.choice(sorted(words))
        text = draw.sample([*draw.sample(words[label], 3), *draw.sample(noise, 3), f"n{number}"], 7)
        made.append({"text": " ".join(text), "label": label, "group": f"g{number // 2}"})
    return made


def resolved(folder: Path, *overrides: str, profile: str = ""):
    """The toy's spec, resolved against what is installed and on the path."""
    from factory.registry.registry import Registry
    from factory.spec.layers import resolve_spec

    registry = Registry.load()
    return resolve_spec(folder / "toy.yaml", profile=profile, overrides=overrides, registry=registry), registry
