"""Labels for texts that have none: a teacher votes, and what it disagrees with itself about goes to a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal

from pydantic import Field

from factory.api import ChatRequest, ChatResponse, Message, Row, RowsJob, render
from factory_synth.majority_vote import VoteOutcome, count_votes
from factory_synth.nearest_examples import MAX_LABELLED_POOL, find_nearest_examples
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


class TeacherLabeller(TeacherSynthesizer):
    """Gives a label to every text of a file or, without one, to rows that another synthesizer left unlabelled.

    Each text is put to the teacher `votes` times, with the classes in another order each time, for what stands first
    is chosen more often than it should. The most frequent answer is the label. When less than `agree` of the votes
    are for it the row is doubtful: kept for training and shown first to a reviewer, or left out. Unlabelled texts are
    no source: none of them can come into the test set, which stays labelled by people.
    """

    kind = "label"
    prompts = (SYSTEM, DEFAULT_ABOUT, USER)

    column: str = Field("label", min_length=1, description="column that gets the label")
    texts: UnlabelledTexts | None = Field(None, description="the unlabelled texts; none for made rows without a label")
    prompt: str = Field("", description="the text as it is put to the teacher, over the columns; empty for the task's")
    choices: list[str] | dict[str, str] = Field(
        [], description="the labels, or each with what it means; empty for those of the training rows"
    )
    about: str = Field("", description="what the labels are about, in a sentence for the teacher")
    shots: int = Field(0, ge=0, le=100, description="labelled training rows in the prompt, those most like the text")
    votes: int = Field(3, ge=1, le=25, description="times that each text is put to the teacher")
    temperature: float = Field(0.7, ge=0, le=2, description="of the teacher, where it votes more than once")
    agree: float = Field(1.0, gt=0, le=1, description="share of the votes under which a label is doubtful")
    unsure: Literal["review", "drop"] = Field("review", description="doubtful rows: kept for a reviewer, or left out")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """What rows must have."""
        return (self.column,)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        labelled = [row for row in job.rows if str(row[self.column]).strip()]
        names, tally = self._collect_label_meanings(labelled), Tally()
        if self.texts:
            rows = list(read_unseen_rows(job, self.texts, self.column, labelled, lambda row: self._render_label_text(job, row), tally))
        else:
            rows = list(self._select_unlabelled_rows(job))
        replies: defaultdict[str, list[ChatResponse]] = defaultdict(list)
        for name, reply in ask_teacher(job, self._build_vote_requests(job, rows, labelled, names), tally):
            replies[name].append(reply)
        made, doubtful = [], 0
        for row in rows:
            outcome = count_votes((each.text for each in replies[row.id]), self.votes, self.agree)
            if outcome is None:
                tally.count_refusal("texts got no answer", self._render_label_text(job, row))
                continue
            doubtful += bool(outcome.doubt)
            if not outcome.doubt or self.unsure == "review":
                made.append(self._build_labelled_row(row, outcome, replies[row.id][0]))
        tally.made_count = len(made)
        tally.report_tally(job.report, "labels")
        report_doubtful_labels(job.report, doubtful, len(rows), self.unsure)
        yield from prepare_made_rows(job, made)

    def _collect_label_meanings(self, labelled: Sequence[Row]) -> dict[str, str]:
        """Label → what it means, or nothing."""
        given = self.choices or sorted({str(row[self.column]) for row in labelled})
        names = dict(given) if isinstance(given, dict) else dict.fromkeys(given, "")
        if len(names) < 2:
            raise ValueError(f"{len(names)} labels to choose from; give `choices`, or rows that have labels")
        return names

    def _select_unlabelled_rows(self, job: RowsJob) -> Iterator[Row]:
        """The rows without a label. Raises ValueError for one of a source: others of it may be in the test set."""
        for row in job.rows:
            if not str(row[self.column]).strip():
                if not row.provenance.generator:
                    raise ValueError(
                        f"row {row.id!r} of {row.provenance.source} has no {self.column}, and rows of a source may "
                        "be drawn into the test set; put unlabelled texts into a file and name it in `texts`"
                    )
                yield row

    def _render_label_text(self, job: RowsJob, row: Row) -> str:
        return render(self.prompt, row.columns) if self.prompt else get_column_text(row, job.task.text_column if job.task else "text")

    def _build_label_shots(self, job: RowsJob, rows: Sequence[Row], labelled: Sequence[Row]) -> Iterator[list[Message]]:
        """For each row the worked examples as turns: the labelled rows that read most like it."""
        pool = sample_rows_by_id(labelled, MAX_LABELLED_POOL, self.seed) if self.shots else []
        known = [self._render_label_text(job, row) for row in pool]
        for found in find_nearest_examples([self._render_label_text(job, row) for row in rows], pool, known, self.shots):
            yield [
                message for row in found for message in (
                    Message("user", USER.replace("{text}", self._render_label_text(job, row))),
                    Message("assistant", str(row[self.column])),
                )
            ]

    def _build_vote_requests(
        self, job: RowsJob, rows: Sequence[Row], labelled: Sequence[Row], names: dict[str, str]
    ) -> Iterator[tuple[str, ChatRequest]]:
        """The votes of each row: its id, and the request with the classes in an order of its own."""
        for row, shots in zip(rows, self._build_label_shots(job, rows, labelled), strict=True):
            text = self._render_label_text(job, row)
            for vote in range(self.votes):
                order = Random(f"{self.seed} {vote} {text}").sample(sorted(names), len(names))
                told = "\n".join(f"- {name}: {names[name]}" if names[name] else f"- {name}" for name in order)
                system = SYSTEM.replace("{about}", self.about or DEFAULT_ABOUT).replace("{choices}", told)
                yield row.id, self.build_teacher_request(
                    system, USER.replace("{text}", text), vote, shots, choices=tuple(order),
                    temperature=self.temperature if self.votes > 1 else 0.0,
                )

    def _build_labelled_row(self, row: Row, outcome: VoteOutcome, reply: ChatResponse) -> Row:
        """The row with its label, its votes and, where they are too divided, the doubt."""
        detail = self.build_provenance_detail(reply, votes=outcome.votes)
        columns = {**row.columns, self.column: outcome.label}
        new = build_completed_row(self.kind, row, columns, detail) if self.texts else row.with_columns(**columns).with_provenance_detail(
            votes=outcome.votes, labelled={name: detail[name] for name in ("model", "prompt", "seed")}
        )
        return new.with_doubt(outcome.doubt) if outcome.doubt else new
