"""Drop training rows that curators reject or that are too similar to frozen rows, and prove that no leak remains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from factory.api import TEST, TRAIN, VALIDATION, Curator, Decision, Row, RowsJob
from factory.data.leakage import Leak, LeakageCriteria, build_leakage_proof, find_leaks, find_repeated_texts
from factory.data.licences import count_generators, count_licences
from factory.data.requirements import REQUIREMENT_METRICS, CuratedRows, evaluate_requirement, measure_curator_share
from factory.data.rows import write_json, write_jsonl, write_rows
from factory.errors import PluginError
from factory.spec.fields import Leakage
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values, load_toolbox
from factory.stages.memoising_kit import MemoisingKit
from factory.stages.step_rows import trains_on_documents

if TYPE_CHECKING:

    pass

LEAKAGE_STEP = "leakage"
MAX_NAMED_REASONS = 12
"""Number of reasons that the funnel counts by name."""


@dataclass
class _CurationState:
    """The remaining rows, the dropped ones, and the counts of each step."""

    rows: list[Row]
    dropped: list[dict[str, Any]] = field(default_factory=list)
    funnel: list[dict[str, Any]] = field(default_factory=list)

    def apply_decisions(self, decisions: Sequence[Decision], step: str) -> None:
        """Drop and change rows as decided, and add a step to the funnel."""
        by_id = {decision.id: decision for decision in decisions}
        rejections = {name: decision for name, decision in by_id.items() if not decision.kept}
        edits = {name: decision.row for name, decision in by_id.items() if decision.kept and decision.row is not None}
        before, self.rows = self.rows, [edits.get(row.id, row) for row in self.rows if row.id not in rejections]
        for row in before:
            if rejection := rejections.get(row.id):
                self.dropped.append({"row": row.to_json(), "step": step, "why": rejection.why, "twin": rejection.twin})
        reasons = Counter(decision.why for name, decision in by_id.items() if name in rejections or name in edits)
        self.funnel.append({
            "step": step, "in": len(before), "dropped": len(rejections), "changed": len(edits), "out": len(self.rows),
            "reasons": _count_top_reasons(reasons),
        })


def run(job: StageJob) -> None:
    """Write `train.jsonl`, `dropped.jsonl` with reasons, `repeats.jsonl` with texts of test rows that occurred in the
    training rows before curation, and `curate.json` with the funnel, the leakage proof and the data tests.
    """
    curation = _CurationState(list(job.open_input_rows("synthesize", f"{TRAIN}.jsonl")))
    frozen = [row for part in (TEST, VALIDATION) for row in job.open_input_rows("freeze", f"{part}.jsonl")]
    # Built on first use: without curators, neither the side tables nor the base are read.
    load_job = cache(lambda: RowsJob(**job.build_job_fields(), base=job.load_base(), task=job.load_task()))
    criteria = _build_leakage_criteria(job)
    total, repeats = len(curation.rows), find_repeated_texts(curation.rows, frozen, criteria.text_columns)
    for block in job.config["curators"]:
        curator = cast(Curator, job.make_plugin("curator", block))
        curation.apply_decisions(_collect_curator_decisions(load_job(), curator, curation.rows), curator.kind)
    leaks = find_leaks(curation.rows, frozen, criteria)
    curation.apply_decisions([Decision(leak.row, False, leak.reason, leak.frozen_row) for leak in leaks], LEAKAGE_STEP)
    passed = list(dict.fromkeys(step["step"] for step in curation.funnel))
    curation.rows = [row.with_provenance_detail(passed=passed) for row in curation.rows]
    proof = {**build_leakage_proof(curation.rows, frozen, criteria, leaks), "repeats": len(repeats)}
    curated = CuratedRows(curation.rows, total, len(leaks), len(repeats), job.load_task())
    tests = [_run_data_test(job, require, curated, load_job) for require in job.config.get("require", ())]
    write_rows(job.out / f"{TRAIN}.jsonl", curation.rows)
    write_jsonl(job.out / "dropped.jsonl", curation.dropped)
    write_jsonl(job.out / "repeats.jsonl", (repeat.to_json() for repeat in repeats))
    write_json(job.out / "curate.json", {
        "funnel": curation.funnel, "leakage": proof, "tests": tests, **_summarise_row_origins(job, curation.rows),
    })
    _report_leaked_rows(job, leaks, len(repeats))


def _collect_curator_decisions(job: RowsJob, curator: Curator, rows: Sequence[Row]) -> list[Decision]:
    """Return a curator's decisions on these rows. Raises PluginError for a decision on another row."""
    with guard_plugin_call(curator, rows, job.tables):
        decisions = list(iterate_checked_values(curator, "curate", curator.curate(replace(job, rows=rows)), Decision))
    unknown = {decision.id for decision in decisions} - {row.id for row in rows}
    if unknown:
        raise PluginError(f"curator {curator.kind!r}: decided on {min(unknown)!r}, which is not a row")
    renamed = [decision.id for decision in decisions if decision.row is not None and decision.row.id != decision.id]
    if renamed:
        raise PluginError(f"curator {curator.kind!r}: changed the id of row {renamed[0]!r}; a changed row keeps its id")
    return decisions


def _count_top_reasons(counts: Counter[str]) -> dict[str, int]:
    """Count the most frequent reasons by name, and the others together."""
    names = sorted(counts, key=lambda why: (-counts[why], why))[:MAX_NAMED_REASONS]
    shown = {why: counts[why] for why in names}
    rest = counts.total() - sum(shown.values())
    return dict(sorted({**shown, **({"other reasons": rest} if rest else {})}.items()))


def _build_leakage_criteria(job: StageJob) -> LeakageCriteria:
    """Return the criteria of leakage; embeddings are cached, as both the drop and the proof need them."""
    leakage = Leakage.model_validate(job.config["leakage"])
    columns = tuple(leakage.columns) or (job.config["text"],)
    documents = trains_on_documents(job)
    if not leakage.cosine:
        return LeakageCriteria(columns, leakage.jaccard, documents=documents)
    base = job.load_further_models().get("embedder") or job.load_base()
    embed = partial(MemoisingKit(load_toolbox()).embed, base)
    return LeakageCriteria(columns, leakage.jaccard, leakage.cosine, embed, documents)


def _run_data_test(
    job: StageJob, require: Mapping[str, Any], curated: CuratedRows, load_job: Callable[[], RowsJob]
) -> dict[str, Any]:
    """Evaluate one test of the curated rows: a built-in metric, or the share of rows that a curator rejects."""
    if require["metric"] in REQUIREMENT_METRICS:
        return evaluate_requirement(require, REQUIREMENT_METRICS[require["metric"]](curated))
    curators = [cast(Curator, job.make_plugin("curator", block)) for block in job.config["measures"]]
    curator = next(curator for curator in curators if curator.share_metric == require["metric"])
    share = measure_curator_share(curator, curated.rows, _collect_curator_decisions(load_job(), curator, curated.rows))
    return evaluate_requirement(require, share, f"let the curator {curator.kind!r} drop or fix them (data.curate)")


def _summarise_row_origins(job: StageJob, rows: Sequence[Row]) -> dict[str, Any]:
    """Count licences and generators of the rows, those of parent rows included."""
    parents: list[Row] = []
    if any(row.provenance.parents for row in rows):
        parents += job.open_input_rows("freeze", f"{TRAIN}.jsonl")
        parents += job.open_input_rows("synthesize", f"{TRAIN}.jsonl")
        parents += [row for table in job.read_side_tables().values() for row in table.values()]
    return {"licences": count_licences(rows, parents), "generators": count_generators(rows)}


def _report_leaked_rows(job: StageJob, leaks: Sequence[Leak], repeats: int) -> None:
    if repeats:
        texts = "1 text of test rows occurs" if repeats == 1 else f"{repeats} texts of test rows occur"
        job.report.note(f"{texts} verbatim in training rows; repeats.jsonl lists both")
    if leaks:
        rows, leak = "1 training row was" if len(leaks) == 1 else f"{len(leaks)} training rows were", leaks[0]
        job.report.note(
            f"{rows} dropped for similarity to test or validation rows (frozen), such as {leak.row}: {leak.reason} "
            f"({leak.frozen_row})"
        )
