"""Drop what should not be learned from: what curators refuse, then what is too close to a frozen row; and prove it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from factory.api import TEST, TRAIN, VALIDATION, Curator, Decision, Kit, Row, RowsJob
from factory.data.leakage import Leak, LeakageCriteria, build_leakage_proof, find_leaks, find_repeated_texts
from factory.data.licences import count_generators, count_licences
from factory.data.requirements import REQUIREMENT_METRICS, CuratedRows, evaluate_requirement, measure_curator_share
from factory.data.rows import write_json, write_jsonl, write_rows
from factory.errors import PluginError
from factory.spec.fields import Leakage
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values, load_toolbox

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from factory.api import Base

LEAKAGE_STEP = "leakage"
MAX_NAMED_REASONS = 12
"""Reasons that the funnel counts by name."""


@dataclass
class _CurationState:
    """The rows on their way, what became of the others, and the counts of each step."""

    rows: list[Row]
    dropped: list[dict[str, Any]] = field(default_factory=list)
    funnel: list[dict[str, Any]] = field(default_factory=list)

    def apply_decisions(self, decisions: Sequence[Decision], step: str) -> None:
        """Let the rows that stay go on, changed where a decision says so."""
        said = {decision.id: decision for decision in decisions}
        gone = {name: decision for name, decision in said.items() if not decision.kept}
        came, self.rows = self.rows, [
            _apply_row_decision(said.get(row.id), row) for row in self.rows if row.id not in gone
        ]
        changed = Counter(decision.why for decision in said.values() if decision.kept and decision.row is not None)
        for row in came:
            if row.id in gone:
                why = gone[row.id]
                self.dropped.append({"row": row.to_json(), "step": step, "why": why.why, "twin": why.twin})
        self.funnel.append({
            "step": step, "in": len(came), "dropped": len(gone), "changed": changed.total(), "out": len(self.rows),
            "reasons": _count_top_reasons(Counter(decision.why for decision in gone.values()) + changed),
        })


def run(job: StageJob) -> None:
    """Write `train.jsonl`, `dropped.jsonl` with the reasons, `repeats.jsonl` with the texts that test rows share with
    training rows as they came, and `curate.json` with the funnel, the proof and the tests.
    """
    curation = _CurationState(list(job.open_input_rows("synthesize", f"{TRAIN}.jsonl")))
    frozen = [row for part in (TEST, VALIDATION) for row in job.open_input_rows("freeze", f"{part}.jsonl")]
    offered, nearness = cache(
        lambda: RowsJob(**job.build_job_fields(), base=job.load_base(), task=job.load_task())
    ), _build_leakage_nearness(job)
    came, shared = len(curation.rows), find_repeated_texts(curation.rows, frozen, nearness.text_columns)
    for block in job.config["curators"]:
        curator = cast(Curator, job.make_plugin("curator", block))
        curation.apply_decisions(_collect_curator_decisions(offered(), curator, curation.rows), curator.kind)
    found = find_leaks(curation.rows, frozen, nearness)
    curation.apply_decisions([Decision(leak.row, False, leak.reason, leak.frozen_row) for leak in found], LEAKAGE_STEP)
    curation.rows = _record_passed_steps(curation)
    proven = {**build_leakage_proof(curation.rows, frozen, nearness, found), "repeats": len(shared)}
    curated = CuratedRows(curation.rows, came, len(found), len(shared), job.load_task())
    tests = [_run_data_test(job, require, curated, offered) for require in job.config.get("require", ())]
    write_rows(job.out / f"{TRAIN}.jsonl", curation.rows)
    write_jsonl(job.out / "dropped.jsonl", curation.dropped)
    write_jsonl(job.out / "repeats.jsonl", (repeat.to_json() for repeat in shared))
    write_json(job.out / "curate.json", {
        "funnel": curation.funnel, "leakage": proven, "tests": tests, **_summarise_row_origins(job, curation.rows),
    })
    _report_leaked_rows(job, found, len(shared))


def _collect_curator_decisions(offered: RowsJob, curator: Curator, rows: Sequence[Row]) -> list[Decision]:
    """What a curator says of these rows. Raises PluginError when it speaks of another row."""
    with guard_plugin_call(curator, rows, offered.tables):
        decisions = list(iterate_checked_values(curator, "keep", curator.curate(replace(offered, rows=rows)), Decision))
    unknown = {decision.id for decision in decisions} - {row.id for row in rows}
    if unknown:
        raise PluginError(f"curator {curator.kind!r}: decided on {min(unknown)!r}, which is no row")
    strange = [decision.id for decision in decisions if decision.row is not None and decision.row.id != decision.id]
    if strange:
        raise PluginError(f"curator {curator.kind!r}: gave {strange[0]!r} another id; a changed row keeps its own")
    return decisions


def _apply_row_decision(decision: Decision | None, row: Row) -> Row:
    return decision.row if decision is not None and decision.row is not None else row


def _count_top_reasons(counts: Counter[str]) -> dict[str, int]:
    """The commonest reasons by name, and the rest in one number."""
    most = sorted(counts, key=lambda why: (-counts[why], why))
    shown = {why: counts[why] for why in most[:MAX_NAMED_REASONS]}
    rest = counts.total() - sum(shown.values())
    return dict(sorted({**shown, **({"other reasons": rest} if rest else {})}.items()))


def _record_passed_steps(curation: _CurationState) -> list[Row]:
    """The rows with the steps that they passed in their provenance."""
    steps = list(dict.fromkeys(step["step"] for step in curation.funnel))
    return [row.with_provenance_detail(passed=steps) for row in curation.rows]


def _build_leakage_nearness(job: StageJob) -> LeakageCriteria:
    """What leakage means here; a text is embedded once, for the drop and for the proof."""
    leakage = Leakage.model_validate(job.config["leakage"])
    on = tuple(leakage.columns) or (job.config["text"],)
    if not leakage.cosine:
        return LeakageCriteria(on, leakage.jaccard)
    base = job.load_further_models().get("embedder") or job.load_base()
    return LeakageCriteria(on, leakage.jaccard, leakage.cosine, partial(_embed_with_cache, load_toolbox(), base, {}))


def _embed_with_cache(
    kit: Kit, base: Base, known: dict[str, NDArray[np.float32]], texts: Sequence[str]
) -> NDArray[np.float32]:
    import numpy as np

    fresh = [text for text in dict.fromkeys(texts) if text not in known]
    if fresh:
        known.update(zip(fresh, kit.embed(base, fresh), strict=True))
    return np.stack([known[text] for text in texts])


def _run_data_test(
    job: StageJob, require: Mapping[str, Any], curated: CuratedRows, offered: Callable[[], RowsJob]
) -> dict[str, Any]:
    """One required metric of the rows that stay: a built-in one, or the share that a curator objects to."""
    if require["metric"] in REQUIREMENT_METRICS:
        return evaluate_requirement(require, REQUIREMENT_METRICS[require["metric"]](curated))
    made = [cast(Curator, job.make_plugin("curator", block)) for block in job.config["measures"]]
    curator = next(each for each in made if each.share_metric == require["metric"])
    found = measure_curator_share(curator, curated.rows, _collect_curator_decisions(offered(), curator, curated.rows))
    return evaluate_requirement(require, found, f"let the curator {curator.kind!r} drop or mend them (data.curate)")


def _summarise_row_origins(job: StageJob, rows: Sequence[Row]) -> dict[str, Any]:
    """Licences and generators of the rows that stay; where rows were made from others, of those too."""
    made = any(row.provenance.parents for row in rows)
    tables = [row for table in job.read_side_tables().values() for row in table.values()] if made else []
    others = [
        *job.open_input_rows("freeze", f"{TRAIN}.jsonl"), *job.open_input_rows("synthesize", f"{TRAIN}.jsonl"), *tables
    ] if made else []
    return {"licences": count_licences(rows, others), "generators": count_generators(rows)}


def _report_leaked_rows(job: StageJob, found: Sequence[Leak], shared: int) -> None:
    """Tell a person what came too close to frozen rows."""
    if shared:
        job.report.note(f"{shared} texts of test rows stood word for word in training rows: repeats.jsonl names both")
    if found:
        job.report.note(f"{len(found)} training rows dropped, too close to frozen rows, such as {found[0].row}: "
                        f"{found[0].reason} ({found[0].frozen_row})")
