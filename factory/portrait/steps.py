"""The funnel: every step from what the sources gave to what is learned from, with what it took or added, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from factory.evidence import Evidence

LIMIT = "data.limit"


@dataclass(frozen=True, slots=True)
class Step:
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


def last(evidence: Evidence) -> str:
    """The stage whose rows are learned from: `review` where experts are asked, else `curate`."""
    return "review" if "review" in evidence.run.stages else "curate"


def steps(evidence: Evidence) -> list[Step]:
    """All steps that were made so far, in their order."""
    return [*_gathered(evidence), *_frozen(evidence), *_synthesized(evidence), *_curated(evidence)]


def _gathered(evidence: Evidence) -> Iterator[Step]:
    gather = evidence.facts("gather")
    skipped = sum(int((source.get("skipped") or {}).get("rows", 0)) for source in gather.get("sources", []))
    rows = 0
    for source in gather.get("sources", []):
        rows += int(source["rows"])
        drawn = int(source.get("given", source["rows"])) - int(source["rows"])
        reasons = {"left out by its weight": drawn} if drawn else {}
        yield Step("gather", str(source["kind"]), rows, int(source["rows"]), reasons=reasons)
    if skipped:
        texts = [text for source in gather["sources"] for text in (source.get("skipped") or {}).get("first", [])]
        yield Step("gather", "wrong records", rows, dropped=skipped, reasons=dict.fromkeys(texts, 1))


def _frozen(evidence: Evidence) -> Iterator[Step]:
    counts = evidence.facts("freeze").get("counts", {})
    left = sum(counts.values())
    for part in ("test", "validation"):
        if counts.get(part):
            left -= counts[part]
            groups = evidence.facts("freeze").get("groups", {}).get(part, 0)
            yield Step("freeze", part, left, dropped=counts[part], reasons={"whole groups": groups})


def _synthesized(evidence: Evidence) -> Iterator[Step]:
    made = evidence.facts("synthesize")
    there = int(evidence.facts("freeze").get("counts", {}).get("train", 0))
    rows = int(made.get("rows", there)) - sum(int(step["added"]) for step in made.get("steps", []))
    if made and rows < there:
        yield Step("synthesize", LIMIT, rows, dropped=there - rows)
    for step in made.get("steps", []):
        rows += int(step["added"])
        yield Step("synthesize", str(step["kind"]), rows, added=int(step["added"]), changed=int(step.get("changed", 0)))


def _curated(evidence: Evidence) -> Iterator[Step]:
    facts = evidence.facts("curate").get("funnel", [])
    for step in facts:
        yield _curation("curate", step)
    counts = evidence.facts("review")
    if counts:
        told = {word: counts[word] for word in ("accepted", "edited", "rejected") if counts.get(word)}
        rows, kept = int(counts["rows"]), int(counts["kept"])
        yield Step("review", "experts", kept, dropped=rows - kept, changed=counts["edited"], reasons=told)


def _curation(stage: str, step: Mapping[str, Any]) -> Step:
    reasons: Counter[str] = Counter()
    for why, count in (step.get("reasons") or {}).items():
        reasons[general(why)] += count
    return Step(
        stage, str(step["step"]), int(step["out"]), dropped=int(step["dropped"]), changed=int(step.get("changed", 0)),
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    )


def general(why: str) -> str:
    """A reason without its numbers, and without what follows a colon, so that all "0.83 similar to …" count as one."""
    kind = why.partition(":")[0]
    return " ".join(word for word in kind.split() if not any(letter.isdigit() for letter in word)) or why
