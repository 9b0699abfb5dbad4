"""Build faithfulness rows without a model: supported claims, and copies corrupted so that the evidence fails them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

from pydantic import Field

from factory.api import Row, RowsJob, Synthesizer
from factory_synth.corruptions import (
    ClaimCorruption,
    CorruptionKind,
    change_date,
    change_number,
    drop_evidence,
    swap_entity,
)
from factory_synth.entity_names import EntityIndex
from factory_synth.negation import negate_claim
from factory_synth.synthesis_common import Tally, get_column_text, make_child_row, prepare_made_rows

CORRUPTERS: dict[CorruptionKind, Callable[[str, str, EntityIndex, Random], ClaimCorruption | None]] = {
    "entity": swap_entity, "number": change_number, "date": change_date, "negation": negate_claim,
    "drop": drop_evidence,
}
MAX_KIND_SHARE = 0.8
"""Share of one kind above which a model may learn to spot that corruption instead of reading the evidence."""


class CorruptClaims(Synthesizer):
    """Adds unsupported claims, one for each supported claim, preferring the rarest kind that the claim allows.

    Names are swapped for others of the same shape, numbers and dates are changed, verbs negated, or the supporting
    sentences are removed from the evidence (after FactCC, arXiv:1910.12840, and DocNLI, arXiv:2106.09449). Changes
    that may still be supported are rejected: a value that the evidence has near the claim's other words, a smaller
    count, mere rounding, a negation of unclear scope. The rules are for English.
    """

    kind = "corrupt-claims"

    claim: str = Field("claim", min_length=1, description="column of the claim")
    evidence: str = Field("evidence", min_length=1, description="column of the evidence")
    label: str = Field("label", min_length=1, description="column of the label: supported or not")
    supported: str = Field("supported", description="label of supported claims; only these rows are corrupted")
    unsupported: str = Field("unsupported", description="label of changed claims")
    missing: str = Field("", description="label where the evidence was removed; empty for `unsupported`")
    kinds: list[CorruptionKind] = Field(list(CORRUPTERS), min_length=1, description="kinds of corruption to use")
    per_claim: int = Field(1, ge=1, le=5, description="maximum number of corruptions per claim, each of another kind")
    seed: int = Field(7, ge=0, description="random seed")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (self.claim, self.evidence, self.label)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        parents = [row for row in job.rows if row[self.label] == self.supported]
        if not parents:
            raise ValueError(f"no training row has {self.label} {self.supported!r}: there is no claim to corrupt")
        names = EntityIndex.from_texts(get_column_text(row, self.evidence) for row in job.rows)
        used: Counter[CorruptionKind] = Counter(dict.fromkeys(self.kinds, 0))
        tally, rows = Tally(), list[Row]()
        for done, row in enumerate(parents, 1):
            corrupted = self._build_corrupted_rows(job, row, names, used)
            rows += corrupted
            if not corrupted:
                tally.count_refusal("claim allows no safe corruption", get_column_text(row, self.claim))
            job.report.report_progress(done, len(parents), "claims")
        counts = ", ".join(f"{count} {kind}" for kind, count in used.items())
        tally.report_tally(job.report, f"unsupported claims ({counts}; from {len(parents)} supported)", len(rows))
        if len(self.kinds) > 1 and max(used.values()) > MAX_KIND_SHARE * max(len(rows), 1):
            kind = max(used, key=used.__getitem__)
            job.report.note(
                f"most corruptions are of kind {kind!r}: the model may learn to spot that kind instead of reading the "
                "evidence", warning=True,
            )
        yield from prepare_made_rows(job, rows)

    def _build_corrupted_rows(
        self, job: RowsJob, row: Row, names: EntityIndex, used: Counter[CorruptionKind]
    ) -> list[Row]:
        """Corrupt one claim, trying the least used kinds first; count the kinds in `used`."""
        claim, evidence = get_column_text(row, self.claim), get_column_text(row, self.evidence)
        rows: list[Row] = []
        for kind in sorted(used, key=lambda kind: (used[kind], self.kinds.index(kind))):
            if len(rows) == self.per_claim:
                break
            new = CORRUPTERS[kind](claim, evidence, names, Random(f"{self.seed} {row.id} {kind}"))
            if new:
                label = self.missing or self.unsupported if kind == "drop" else self.unsupported
                columns = {**row.columns, self.claim: new.claim, self.evidence: new.evidence, self.label: label}
                change = {"corruption": kind, "was": new.original, "now": new.replacement}
                rows.append(make_child_row(job, self.kind, columns, row, **change, seed=self.seed))
                used[kind] += 1
        return rows
