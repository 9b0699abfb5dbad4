"""The data funnel: the steps from source rows to training rows, with rows added, dropped and changed, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from factory.runs.run_outputs import RunOutputs

LIMIT_STEP = "data.limit"


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One step: the number of rows after it, and how many it added, dropped and changed, with counts by reason."""

    stage: str
    step: str
    rows: int
    added: int = 0
    dropped: int = 0
    changed: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    """Of a source, its licences."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_final_stage(evidence: RunOutputs) -> str:
    """Return the stage that writes the training rows: `review` if the plan has one, else `curate`."""
    return "review" if "review" in evidence.run.stages else "curate"


def read_funnel(evidence: RunOutputs) -> list[FunnelStep]:
    """Return the completed steps, in order."""
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
        excess = int(source.get("given", source["rows"])) - int(source["rows"])
        reasons = {"not sampled (weight)": excess} if excess else {}
        note = ", ".join(map(str, source.get("licences") or [])) or "licence not stated"
        yield FunnelStep("gather", str(source["kind"]), rows, int(source["rows"]), reasons=reasons, note=note)
    if skipped:
        texts = [text for source in gather["sources"] for text in (source.get("skipped") or {}).get("first", [])]
        yield FunnelStep("gather", "invalid records", rows, dropped=skipped, reasons=dict.fromkeys(texts, 1))


def _read_freeze_steps(evidence: RunOutputs) -> Iterator[FunnelStep]:
    facts = evidence.read_stage_json("freeze")
    counts = facts.get("counts", {})
    repeated = int(facts.get("repeated", 0))
    rows = sum(counts.values()) + repeated
    for part in ("test", "validation"):
        if counts.get(part):
            rows -= counts[part]
            groups = facts.get("groups", {}).get(part, 0)
            yield FunnelStep("freeze", part, rows, dropped=counts[part], reasons={"whole groups": groups})
    if repeated:
        yield FunnelStep("freeze", "test rows in validation", rows - repeated, dropped=repeated)


def _read_synthesis_steps(evidence: RunOutputs) -> Iterator[FunnelStep]:
    facts = evidence.read_stage_json("synthesize")
    before = int(evidence.read_stage_json("freeze").get("counts", {}).get("train", 0))
    rows = int(facts.get("rows", before)) - sum(int(step["added"]) for step in facts.get("steps", []))
    if facts and rows < before:
        yield FunnelStep("synthesize", LIMIT_STEP, rows, dropped=before - rows)
    for step in facts.get("steps", []):
        added, changed = int(step["added"]), int(step.get("changed", 0))
        rows += added
        yield FunnelStep("synthesize", str(step["kind"]), rows, added=added, changed=changed)


def _read_curation_steps(evidence: RunOutputs) -> Iterator[FunnelStep]:
    for step in evidence.read_stage_json("curate").get("funnel", []):
        reasons: Counter[str] = Counter()
        for why, count in (step.get("reasons") or {}).items():
            reasons[generalise_reason(why)] += count
        yield FunnelStep(
            "curate", str(step["step"]), int(step["out"]), 0, int(step["dropped"]), int(step.get("changed", 0)),
            dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        )
    counts = evidence.read_stage_json("review")
    if counts:
        verdicts = {name: counts[name] for name in ("accepted", "edited", "rejected") if counts.get(name)}
        rows, kept = int(counts["rows"]), int(counts["kept"])
        yield FunnelStep("review", "experts", kept, dropped=rows - kept, changed=counts["edited"], reasons=verdicts)


def generalise_reason(why: str) -> str:
    """Remove the numbers of a reason, and the text after a colon, so that all "0.83 similar to …" count as one."""
    kind = why.partition(":")[0]
    return " ".join(word for word in kind.split() if not any(letter.isdigit() for letter in word)) or why
