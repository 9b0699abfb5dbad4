"""Faithfulness rows for free: supported claims, and the same ones corrupted so that their evidence no longer holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

from pydantic import Field

from factory.api import Row, RowsJob, Synthesizer
from factory_synth.corruptions import Corrupted, Kind, date, drop, entity, number
from factory_synth.names import Names
from factory_synth.negation import negation
from factory_synth.parts import Tally, child, finished, text_of

WAYS: dict[Kind, Callable[[str, str, Names, Random], Corrupted | None]] = {
    "entity": entity, "number": number, "date": date, "negation": negation, "drop": drop,
}
LOPSIDED = 0.8
"""The share of one kind from which on a model may learn that kind's mark instead of reading the evidence."""


class CorruptClaims(Synthesizer):
    """Adds an unsupported claim for each supported one, of the rarest kind that the claim allows.

    Names are swapped for others of the same shape, numbers and dates changed, verbs negated, or the sentences that
    support the claim are taken out of the evidence (after FactCC, arXiv:1910.12840, and DocNLI, arXiv:2106.09449).
    What may still be supported is refused: a value that the evidence has beside the claim's other words, a smaller
    count, a number that only rounds, a negation whose scope is in doubt. The rules are for English.
    """

    kind = "corrupt-claims"

    claim: str = Field("claim", min_length=1, description="column of the claim")
    evidence: str = Field("evidence", min_length=1, description="column of the text that supports it")
    label: str = Field("label", min_length=1, description="column that says whether the claim is supported")
    supported: str = Field("supported", description="its value for a supported claim; only such rows are corrupted")
    unsupported: str = Field("unsupported", description="its value for a claim that was changed")
    missing: str = Field("", description="its value where the support was taken out; empty for `unsupported`")
    kinds: list[Kind] = Field(list(WAYS), min_length=1, description="the corruptions to choose from")
    per_claim: int = Field(1, ge=1, le=5, description="corrupted rows for each supported one, at most; one a kind")
    seed: int = Field(7, ge=0, description="seed of every choice")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """What rows must have."""
        return (self.claim, self.evidence, self.label)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        parents = [row for row in job.rows if row[self.label] == self.supported]
        if not parents:
            raise ValueError(f"no training row has {self.label} {self.supported!r}: there is no claim to corrupt")
        names = Names.of(text_of(row, self.evidence) for row in job.rows)
        used: Counter[Kind] = Counter(dict.fromkeys(self.kinds, 0))
        tally, rows = Tally(), list[Row]()
        for done, row in enumerate(parents, 1):
            chosen = self._chosen(row, names, used)
            rows += [self._row(job, row, one) for one in chosen]
            if not chosen:
                tally.refuse("claims allow no sure corruption", text_of(row, self.claim))
            job.report.report_progress(done, len(parents), "claims")
        tally.made = len(rows)
        tally.tell(job.report, f"unsupported claims ({_counted(used)}) from {len(parents)} supported")
        if len(self.kinds) > 1 and used and max(used.values()) > LOPSIDED * max(len(rows), 1):
            job.report.note(f"nearly all are of the kind {max(used, key=lambda kind: used[kind])!r}: a model may "
                            "learn its mark instead of reading the evidence", warning=True)
        yield from finished(job, rows)

    def _chosen(self, row: Row, names: Names, used: Counter[Kind]) -> list[Corrupted]:
        """The corruptions of one claim, of the kinds that were used least."""
        claim, evidence = text_of(row, self.claim), text_of(row, self.evidence)
        chosen: list[Corrupted] = []
        for kind in sorted(used, key=lambda kind: (used[kind], self.kinds.index(kind))):
            if len(chosen) == self.per_claim:
                break
            found = WAYS[kind](claim, evidence, names, Random(f"{self.seed} {row.id} {kind}"))
            if found:
                chosen.append(found)
                used[kind] += 1
        return chosen

    def _row(self, job: RowsJob, row: Row, one: Corrupted) -> Row:
        label = self.missing or self.unsupported if one.kind == "drop" else self.unsupported
        columns = {**row.columns, self.claim: one.claim, self.evidence: one.evidence, self.label: label}
        change = {"corruption": one.kind, "was": one.was, "now": one.now, "seed": self.seed}
        return child(job, self.kind, columns, row, **change)


def _counted(used: Counter[Kind]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in used.items())
