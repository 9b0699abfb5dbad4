"""Faithfulness rows for free: supported claims, and the same ones corrupted so that their evidence no longer holds."""

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
    "entity": swap_entity, "number": change_number, "date": change_date, "negation": negate_claim, "drop": drop_evidence,
}
MAX_KIND_SHARE = 0.8
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
    kinds: list[CorruptionKind] = Field(list(CORRUPTERS), min_length=1, description="the corruptions to choose from")
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
        names = EntityIndex.from_texts(get_column_text(row, self.evidence) for row in job.rows)
        used: Counter[CorruptionKind] = Counter(dict.fromkeys(self.kinds, 0))
        tally, rows = Tally(), list[Row]()
        for done, row in enumerate(parents, 1):
            chosen = self._choose_corruptions(row, names, used)
            rows += [self._build_corrupted_row(job, row, one) for one in chosen]
            if not chosen:
                tally.count_refusal("claims allow no sure corruption", get_column_text(row, self.claim))
            job.report.report_progress(done, len(parents), "claims")
        tally.made_count = len(rows)
        tally.report_tally(job.report, f"unsupported claims ({_render_kind_counts(used)}) from {len(parents)} supported")
        if len(self.kinds) > 1 and used and max(used.values()) > MAX_KIND_SHARE * max(len(rows), 1):
            job.report.note(f"nearly all are of the kind {max(used, key=lambda kind: used[kind])!r}: a model may "
                            "learn its mark instead of reading the evidence", warning=True)
        yield from prepare_made_rows(job, rows)

    def _choose_corruptions(self, row: Row, names: EntityIndex, used: Counter[CorruptionKind]) -> list[ClaimCorruption]:
        """The corruptions of one claim, of the kinds that were used least."""
        claim, evidence = get_column_text(row, self.claim), get_column_text(row, self.evidence)
        chosen: list[ClaimCorruption] = []
        for kind in sorted(used, key=lambda kind: (used[kind], self.kinds.index(kind))):
            if len(chosen) == self.per_claim:
                break
            found = CORRUPTERS[kind](claim, evidence, names, Random(f"{self.seed} {row.id} {kind}"))
            if found:
                chosen.append(found)
                used[kind] += 1
        return chosen

    def _build_corrupted_row(self, job: RowsJob, row: Row, one: ClaimCorruption) -> Row:
        label = self.missing or self.unsupported if one.kind == "drop" else self.unsupported
        columns = {**row.columns, self.claim: one.claim, self.evidence: one.evidence, self.label: label}
        change = {"corruption": one.kind, "was": one.original, "now": one.replacement, "seed": self.seed}
        return make_child_row(job, self.kind, columns, row, **change)


def _render_kind_counts(used: Counter[CorruptionKind]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in used.items())
