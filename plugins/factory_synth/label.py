"""Label texts by teacher votes; rows on which the votes disagree are flagged for review."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal

from pydantic import Field

from factory.api import ChatRequest, ChatResponse, Message, Row, RowsJob, render
from factory.api.label_sets import get_single_label
from factory_synth.synthesis_common import (
    Tally,
    get_column_text,
    prepare_made_rows,
    report_doubtful_labels,
    sample_rows_by_id,
)
from factory_synth.teacher_synthesizer import TeacherSynthesizer, ask_teacher
from factory_synth.unlabelled import UnlabelledTexts, build_completed_row, read_unseen_rows

SYSTEM = """\
{about} Read the text and say to which of these classes it belongs. Reply with the name of the class alone, as it is \
written here.

{choices}"""
DEFAULT_ABOUT = "You sort texts into classes."
USER = "Text: {text}\nClass:"
MAX_LABELLED_POOL = 5000
"""Maximum number of labelled rows to search for examples."""
SEARCH_BLOCK_ROWS = 256
SIMILARITY_DIGITS = 6


@dataclass(frozen=True, slots=True)
class VoteOutcome:
    """The winning label, the votes per answer in descending order, and the doubt (empty for none)."""

    label: str
    votes: dict[str, int]
    doubt: str


class TeacherLabeller(TeacherSynthesizer):
    """Labels every text of a file or, without one, the rows that another synthesizer left unlabelled.

    The teacher sees each text `votes` times, with the classes shuffled each time to cancel position bias; the most
    frequent answer wins. A row with less agreement than `min_agreement` is doubtful: it is kept for training and
    queued first for review, or dropped. Unlabelled texts never come from a source, so none can enter the held-out
    test set, which stays labelled by people.
    """

    kind = "label"
    prompts = (SYSTEM, DEFAULT_ABOUT, USER)

    column: str = Field("label", min_length=1, description="column to label")
    texts: UnlabelledTexts | None = Field(None, description="file of texts; by default synthetic rows without a label")
    prompt: str = Field("", description="template of the text shown to the teacher; empty for the task's text column")
    choices: list[str] | dict[str, str] = Field(
        [], description="labels, optionally with their meaning; empty for those of the training rows"
    )
    description: str = Field("", description="what the labels are about, one sentence for the teacher")
    shots: int = Field(0, ge=0, le=100, description="few-shot examples: the most similar labelled training rows")
    votes: int = Field(3, ge=1, le=25, description="votes of the teacher per text")
    temperature: float = Field(0.7, ge=0, le=2, description="sampling temperature of the teacher; 0 for a single vote")
    min_agreement: float = Field(1.0, gt=0, le=1, description="share of votes below which a label is doubtful")
    unsure: Literal["review", "drop"] = Field("review", description="doubtful rows: keep for review, or drop")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (self.column,)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        labelled = [row for row in job.rows if get_single_label(row, self.column).strip()]
        names, tally = self._collect_label_meanings(labelled), Tally()
        get_text = partial(self._render_label_text, job)
        rows = list(
            read_unseen_rows(job, self.texts, self.column, labelled, get_text, tally) if self.texts
            else self._select_unlabelled_rows(job)
        )
        replies: defaultdict[str, list[ChatResponse]] = defaultdict(list)
        for name, reply in ask_teacher(job, self._build_vote_requests(job, rows, labelled, names), tally):
            replies[name].append(reply)
        generated, doubtful = [], 0
        for row in rows:
            outcome = count_votes((reply.text for reply in replies[row.id]), self.votes, self.min_agreement)
            if outcome is None:
                tally.count_refusal("text got no answer", get_text(row))
                continue
            doubtful += bool(outcome.doubt)
            if not outcome.doubt or self.unsure == "review":
                generated.append(self._build_labelled_row(row, outcome, replies[row.id][0]))
        tally.report_tally(job.report, "labels", len(generated))
        report_doubtful_labels(job.report, doubtful, len(rows), self.unsure)
        yield from prepare_made_rows(job, generated)

    def _collect_label_meanings(self, labelled: Sequence[Row]) -> dict[str, str]:
        """Map each label to its meaning, or to an empty string."""
        choices = self.choices or sorted({str(row[self.column]) for row in labelled})
        names = dict(choices) if isinstance(choices, dict) else dict.fromkeys(choices, "")
        if len(names) < 2:
            raise ValueError(f"at least two labels are needed, got {len(names)}; set `choices` or label training rows")
        return names

    def _select_unlabelled_rows(self, job: RowsJob) -> Iterator[Row]:
        """Yield rows without a label. Raises ValueError for one from a source, which could enter the test set."""
        for row in job.rows:
            if not str(row[self.column]).strip():
                if not row.provenance.generator:
                    raise ValueError(
                        f"row {row.id!r} of {row.provenance.source} has no {self.column}, and source rows may enter "
                        "the held-out test set; move unlabelled texts to a file and set `texts`"
                    )
                yield row

    def _render_label_text(self, job: RowsJob, row: Row) -> str:
        if self.prompt:
            return render(self.prompt, row.columns)
        return get_column_text(row, job.task.text_column if job.task else "text")

    def _build_label_shots(self, job: RowsJob, rows: Sequence[Row], labelled: Sequence[Row]) -> Iterator[list[Message]]:
        """Yield few-shot turns for each row: the labelled rows most similar to it."""
        pool = sample_rows_by_id(labelled, MAX_LABELLED_POOL, self.seed) if self.shots else []
        known, texts = ([self._render_label_text(job, row) for row in group] for group in (pool, rows))
        for examples in find_nearest_examples(texts, pool, known, self.shots):
            users = [USER.replace("{text}", self._render_label_text(job, row)) for row in examples]
            pairs = zip(users, [str(row[self.column]) for row in examples], strict=True)
            yield [turn for user, label in pairs for turn in (Message("user", user), Message("assistant", label))]

    def _build_vote_requests(
        self, job: RowsJob, rows: Sequence[Row], labelled: Sequence[Row], names: dict[str, str]
    ) -> Iterator[tuple[str, ChatRequest]]:
        """Yield (row id, request) for every vote, each with its own order of the classes."""
        for row, shots in zip(rows, self._build_label_shots(job, rows, labelled), strict=True):
            text = self._render_label_text(job, row)
            for vote in range(self.votes):
                # Seeded by the text, not the row's position: other rows may change without new requests.
                order = Random(f"{self.seed} {vote} {text}").sample(sorted(names), len(names))
                listing = "\n".join(f"- {name}: {names[name]}" if names[name] else f"- {name}" for name in order)
                system = SYSTEM.replace("{about}", self.description or DEFAULT_ABOUT).replace("{choices}", listing)
                yield row.id, self.build_teacher_request(
                    system, USER.replace("{text}", text), vote, shots, choices=tuple(order),
                    temperature=self.temperature if self.votes > 1 else 0.0,
                )

    def _build_labelled_row(self, row: Row, outcome: VoteOutcome, reply: ChatResponse) -> Row:
        """Build the labelled row with its votes and, where they disagree, the doubt."""
        detail = self.build_provenance_detail(reply, votes=outcome.votes)
        columns = {**row.columns, self.column: outcome.label}
        if self.texts:
            labelled = build_completed_row(self.kind, row, columns, detail)
        else:
            labelled = row.with_columns(**columns).with_provenance_detail(
                votes=outcome.votes, labelled={name: detail[name] for name in ("model", "prompt", "seed")}
            )
        return labelled.with_doubt(outcome.doubt) if outcome.doubt else labelled


def count_votes(answers: Iterable[str], expected: int, min_agreement: float) -> VoteOutcome | None:
    """Count the votes; None without an answer. A tie goes to the first label by name, with a doubt.

    A failed vote counts for no label: two of three are 0.67, however the third was lost.
    """
    ordered = sorted(Counter(answers).items(), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return None
    label, votes = ordered[0]
    is_divided = votes < min_agreement * expected or any(count == votes for _, count in ordered[1:])
    counts = ":".join(str(count) for _, count in ordered)
    failed = expected - sum(count for _, count in ordered)
    doubt = f"votes {counts}{f', {failed} failed' if failed else ''}" if is_divided else ""
    return VoteOutcome(label, dict(ordered), doubt)


def find_nearest_examples(
    texts: Sequence[str], rows: Sequence[Row], known: Sequence[str], count: int
) -> list[list[Row]]:
    """Find for each text the `count` rows with the most similar texts (`known`), the nearest last, next to the query.

    Similarity is the cosine of TF-IDF vectors over character 2- to 4-grams within words; ties are broken by row id.
    """
    if not count or not rows or not texts:
        return [[] for _ in texts]
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000)
    known_vectors = vectoriser.fit_transform([*known, "empty"])[: len(known)]  # an empty vocabulary raises an error
    order = np.array(sorted(range(len(rows)), key=lambda index: rows[index].id))
    nearest = []
    for start in range(0, len(texts), SEARCH_BLOCK_ROWS):
        cosines = (vectoriser.transform(texts[start : start + SEARCH_BLOCK_ROWS]) @ known_vectors[order].T).toarray()
        # Rounding before a stable sort: equal texts tie exactly, on every machine, and then go by id.
        best = np.argsort(-np.round(cosines, SIMILARITY_DIGITS), axis=1, kind="stable")[:, :count]
        nearest += [[rows[order[index]] for index in reversed(indices)] for indices in best.tolist()]
    return nearest
