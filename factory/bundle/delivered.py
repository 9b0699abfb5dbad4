"""What a bundle delivers, as its manifest says it: a trained artifact, a head on the frozen base, or a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.text.articles import add_article
from factory.text.quantities import format_bytes


def find_exporting_contender(manifest: Mapping[str, Any]) -> str:
    """Return the contender whose export a bundle carries; empty for what was trained."""
    contender = str(manifest.get("delivered", {}).get("contender", ""))
    return "" if contender == manifest.get("tuned") else contender


def find_base_stage(manifest: Mapping[str, Any]) -> str:
    """Return the stage of the build that resolved the base of what a bundle carries."""
    return str(manifest.get("delivered", {}).get("base_stage", "base"))


def describe_delivery(manifest: Mapping[str, Any]) -> str:
    """Return the contender, its mean and what the bundle carries; empty for tuned that ships.

    For example: "linear (0.895 accuracy), a head of 31 kB on the frozen base".
    """
    delivered = manifest.get("delivered")
    if not delivered:
        return ""
    mean = delivered.get("mean")
    score = f" ({mean:.3f} {delivered['metric']})" if mean is not None else ""
    return f"{delivered['contender']}{score}, {describe_artifact(manifest)}"


def describe_artifact(manifest: Mapping[str, Any]) -> str:
    """Return what a bundle carries beside the base, and its size."""
    kind, size = str(manifest.get("artifact", "adapter")), format_bytes(manifest["delivered"]["bytes"])
    facts = manifest.get("training", {}).get("facts", {})
    if kind == "head":
        return f"a head of {size} on the frozen base"
    if kind == "prompt" and "shots" in facts:
        return f"a prompt with {describe_shots(facts)} for the untuned base"
    what = "all weights" if kind == "weights" else add_article(kind)
    return f"{what} of {size}"


def describe_shots(facts: Mapping[str, Any]) -> str:
    """Return how many examples a prompt shows, and how they are chosen."""
    count = int(facts["shots"])
    if not count:
        return "no examples"
    noun = "example" if count == 1 else "examples"
    return f"the {count} nearest {noun}" if facts["selection"] == "nearest" else f"{count} fixed {noun}"
