"""The funnel: every step from what the sources gave to what is learned from, with what it took or added, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from factory.runs.run_outputs import RunOutputs

LIMIT_STEP = "data.limit"


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One step. `rows` is what there is after it; `added`, `dropped` and `changed` what it did, `reasons` its words."""

    stage: str
    step: str
    rows: int
    added: int = 0
    dropped: int = 0
    changed: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `--json` lists it."""
        return asdict(self)


def find_final_stage(evidence: RunOutputs) -> str:
    """The stage whose rows are learned from: `review` where experts are asked, else `curate`."""
    return "review" if "review" in evidence.run.stages else "curate"


def read_funnel(evidence: RunOutputs) -> list[FunnelStep]:
    """All steps that were made so far, in their order."""
    return [
        *_read_gather_steps(evidence), *_read_freeze_steps(evidence), *_read_synthesis_steps(evidence),
        *_read_curation_steps(evidence)
    ]


def _read_gather_steps(evidence: RunOutputs) -> Iterator[FunnelStep]:
    gather = evidence.read_stage_json("gather")
    skipped = sum(int((source.get("skipped") or {}).get("rows", 0)) for source in gather.get("sources", []))
    rows = 0
    for source in gather.get("sources", []):
        rows += int(source["rows"])
        drawn = int(source.get("given", source["rows"])) - int(source["rows"])
        reasons = {"left out by its weight": drawn} if drawn else {}
        yield FunnelStep("gather", str(source["kind"]), rows, int(source["rows"]), reasons=reasons)
    if skipped:
        texts = [text for source in gather["sources"] for text in (source.get("skipped") or {}).get("first", [])]
        yield FunnelStep("gather", "wrong records", rows, dropped=skipped, reasons=dict.fromkeys(texts, 1))


def _read_freeze_steps(evidence: RunOutputs) -> Iterator[FunnelStep]:
    counts = evidence.read_stage_json("freeze").get("counts", {})
    left = sum(counts.values())
    for part in ("test", "validation"):
        if counts.get(part):
            left -= counts[part]
            groups = evidence.read_stage_json("freeze").get("groups", {}).get(part, 0)
            yield FunnelStep("freeze", part, left, dropped=counts[part], reasons={"whole groups": groups})


def _read_synthesis_steps(evidence: RunOutputs) -> Iterator[FunnelStep]:
    made = evidence.read_stage_json("synthesize")
    there = int(evidence.read_stage_json("freeze").get("counts", {}).get("train", 0))
    rows = int(made.get("rows", there)) - sum(int(step["added"]) for step in made.get("steps", []))
    if made and rows < there:
        yield FunnelStep("synthesize", LIMIT_STEP, rows, dropped=there - rows)
    for step in made.get("steps", []):
        rows += int(step["added"])
        yield FunnelStep(
            "synthesize", str(step["kind"]), rows, added=int(step["added"]), changed=int(step.get("changed", 0))
        )


def _read_curation_steps(evidence: RunOutputs) -> Iterator[FunnelStep]:
    facts = evidence.read_stage_json("curate").get("funnel", [])
    for step in facts:
        yield _build_curation_step("curate", step)
    counts = evidence.read_stage_json("review")
    if counts:
        told = {word: counts[word] for word in ("accepted", "edited", "rejected") if counts.get(word)}
        rows, kept = int(counts["rows"]), int(counts["kept"])
        yield FunnelStep("review", "experts", kept, dropped=rows - kept, changed=counts["edited"], reasons=told)


def _build_curation_step(stage: str, step: Mapping[str, Any]) -> FunnelStep:
    reasons: Counter[str] = Counter()
    for why, count in (step.get("reasons") or {}).items():
        reasons[generalise_reason(why)] += count
    return FunnelStep(
        stage, str(step["step"]), int(step["out"]), dropped=int(step["dropped"]), changed=int(step.get("changed", 0)),
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    )


def generalise_reason(why: str) -> str:
    """A reason without its numbers, and without what follows a colon, so that all "0.83 similar to …" count as one."""
    kind = why.partition(":")[0]
    return " ".join(word for word in kind.split() if not any(letter.isdigit() for letter in word)) or why
