"""Generate rows from a description alone, with attributes sampled by weight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, make_synthetic_row
from factory_synth.novelty import NoveltyFilter
from factory_synth.stratified_attributes import draw_stratified_values
from factory_synth.synthesis_common import Tally, prepare_made_rows, sample_rows_by_id
from factory_synth.teacher_synthesizer import TeacherSynthesizer, ask_teacher

SYSTEM = """\
You write examples for a collection, one at a time: {about}
Keep to every line of the request. Be particular, as a real one would be: things have names, amounts and reasons; \
there are no placeholders. Do not mention the request's own words for kind, style or difficulty.

Request (of another collection):
- topic: a late parcel
- style: annoyed, two short sentences
Reply: {"text": "Third day the tracker says 'out for delivery'. Where is my lamp?"}"""
USER = """\
Request:
{lines}
{examples}Reply with one JSON object that has {fields}."""
EXAMPLES_PROMPT = "Real ones, for their tone. Do not repeat them:\n{texts}\n"
MUTATOR_PROMPTS = {
    "none": "",
    "longer": "about twice as long as usual, with a detail that does not matter",
    "terser": "as terse as it can be, a few words",
    "typo": "with two or three typing mistakes, as typed in haste on a phone",
    "harder": "harder than usual: what it is about must be inferred, as no word names it",
}
MUTATOR_ATTRIBUTE = "manner"
MAX_TRIES = 20
"""Upper limit of `requests_per_row`. Sample indices are spaced by it, so that identical orders get distinct samples."""

MAX_EXAMPLE_POOL = 2000
"""Maximum number of training rows from which examples are drawn."""

Mutator = Literal["none", "longer", "terser", "typo", "harder"]
AttributeWeights = list[str] | dict[str, float]


class FromDescription(TeacherSynthesizer):
    """Lets the teacher write rows to order: attributes sampled by weight, crossed with topics and style mutators.

    Each row is one order. Its text must be new compared with training rows and rows generated before: by character
    5-grams and, with `max_cosine`, by meaning. A rejected order is sampled again, up to `requests_per_row` times.
    """

    kind = "from-description"
    prompts = (SYSTEM, USER, EXAMPLES_PROMPT, *MUTATOR_PROMPTS.values())

    description: str = Field(min_length=1, description="what the rows are, one or two sentences for the teacher")
    count: int = Field(ge=1, le=100_000, description="rows to generate")
    writes: dict[str, str] = Field(min_length=1, description="columns that the teacher writes, each with a description")
    attributes: dict[str, AttributeWeights] = Field(
        {}, description="what varies: each attribute with a list of values, or values with weights"
    )
    topics: list[str] = Field([], description="topics of the rows, equally weighted")
    mutators: dict[Mutator, float] = Field({"none": 1.0}, description="weight of each change of style")
    keep: list[str] = Field([], description="attributes that become columns, such as the label")
    empty: list[str] = Field([], description="columns left empty, for a later `label` synthesizer")
    examples: int = Field(3, ge=0, le=20, description="training rows shown per request, with the same kept attributes")
    max_jaccard: float = Field(0.7, gt=0, le=1, description="5-gram Jaccard from which a text is not new")
    max_cosine: float = Field(1.0, gt=0, le=1, description="cosine from which a text is not new; 1 uses no embedder")
    requests_per_row: int = Field(3, ge=1, le=MAX_TRIES, description="maximum number of requests per row")
    temperature: float = Field(0.9, ge=0, le=2, description="sampling temperature of the teacher")

    @model_validator(mode="after")
    def _validate_attributes(self) -> FromDescription:
        if reserved := sorted({"topic", MUTATOR_ATTRIBUTE} & {*self.attributes}):
            raise ValueError(f"attributes: the name {reserved[0]!r} is reserved; use `topics` or `mutators` instead")
        if unknown := sorted({*self.keep} - {*self._list_attribute_weights()} | {*self.keep} & {MUTATOR_ATTRIBUTE}):
            raise ValueError(f"keep: {unknown[0]!r} is not an attribute")
        columns = [*self.writes, *self.keep, *self.empty]
        if duplicates := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(f"column {duplicates[0]!r} is listed twice in `writes`, `keep` and `empty`")
        for name, values in self._list_attribute_weights().items():
            if not values or min(values.values()) < 0 or not sum(values.values()):
                raise ValueError(f"{name}: weights must be 0 or more, with at least one positive weight")
        return self

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher", "embedder") if self.max_cosine < 1 else ("teacher",)

    def _choose_novelty_column(self, job: RowsJob) -> str:
        """Return the column that must be new: the task's text if the teacher writes it, else the first by name."""
        return job.task.text_column if job.task and job.task.text_column in self.writes else min(self.writes)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        text = self._choose_novelty_column(job)
        known = [str(row.columns.get(text, "")) for row in job.rows]
        novelty = NoveltyFilter(job, known, self.max_jaccard, self.max_cosine)
        fields: Any = {name: (str, Field(min_length=1, description=what)) for name, what in sorted(self.writes.items())}
        schema = create_model("Example", __config__=ConfigDict(extra="forbid", str_strip_whitespace=True), **fields)
        tally, orders = Tally(), list(self._draw_orders())
        shown = list(self._draw_shown_examples(job, orders))
        examples = [[str(row.columns.get(text)) for row in rows] for rows in shown]
        accepted: dict[int, Row] = {}
        for attempt in range(self.requests_per_row):
            requests = [
                (index, self._build_order_request(orders[index], examples[index], MAX_TRIES * index + attempt, schema))
                for index in range(self.count) if index not in accepted
            ]
            replies = list(ask_teacher(job, requests, tally))
            reasons = novelty.find_refusal_reasons([getattr(reply.value, text) for _, reply in replies])
            for (index, reply), reason in zip(replies, reasons, strict=True):
                if reason:
                    tally.count_refusal(reason, getattr(reply.value, text))
                else:
                    accepted[index] = self._build_ordered_row(orders[index], shown[index], reply)
        tally.report_tally(job.report, "rows", len(accepted), self.count)
        yield from prepare_made_rows(job, [accepted[index] for index in sorted(accepted)])

    def _list_attribute_weights(self) -> dict[str, dict[str, float]]:
        """Return the weights of the values of every attribute, topics and mutators included."""
        topics: dict[str, AttributeWeights] = {"topic": self.topics} if self.topics else {}
        attributes = {**topics, **dict(sorted(self.attributes.items())), MUTATOR_ATTRIBUTE: dict(self.mutators)}
        return {
            name: {str(value): weight for value, weight in values.items()} if isinstance(values, dict)
            else dict.fromkeys(values, 1.0)
            for name, values in attributes.items()
        }

    def _draw_orders(self) -> Iterator[dict[str, str]]:
        """Yield the attribute values of each row; a larger `count` begins with the same orders."""
        weights = self._list_attribute_weights().items()
        streams = {name: draw_stratified_values(values, f"{self.seed} {name}") for name, values in weights}
        for _ in range(self.count):
            yield {name: next(values) for name, values in streams.items()}

    def _draw_shown_examples(self, job: RowsJob, orders: Sequence[Mapping[str, str]]) -> Iterator[list[Row]]:
        """Yield the training rows to show for each order, with the same kept attributes where there are any."""
        pool, text = defaultdict[tuple[str, ...], list[Row]](list), self._choose_novelty_column(job)
        rows = sample_rows_by_id(job.rows, MAX_EXAMPLE_POOL, self.seed)
        rows = [row for row in rows if isinstance(row.columns.get(text), str)]
        for row in rows:
            pool[tuple(str(row.columns.get(name, "")) for name in self.keep)].append(row)
        for index, order in enumerate(orders):
            similar = pool.get(tuple(order[name] for name in self.keep)) or rows
            yield Random(f"{self.seed} shown {index}").sample(similar, min(self.examples, len(similar)))

    def _build_order_request(
        self, order: Mapping[str, str], shown: Sequence[str], sample_index: int, schema: type[BaseModel]
    ) -> ChatRequest:
        lines = {**order, MUTATOR_ATTRIBUTE: MUTATOR_PROMPTS[order[MUTATOR_ATTRIBUTE]]}
        texts = "\n".join(f"- {text}" for text in shown)
        user = USER.replace("{fields}", " and ".join(f"`{name}`: {what}" for name, what in sorted(self.writes.items())))
        user = user.replace("{lines}", "\n".join(f"- {name}: {value}" for name, value in lines.items() if value))
        user = user.replace("{examples}", EXAMPLES_PROMPT.replace("{texts}", texts) if texts else "")
        system = SYSTEM.replace("{about}", self.description)
        return self.build_teacher_request(system, user, sample_index, schema=schema, temperature=self.temperature)

    def _build_ordered_row(self, order: Mapping[str, str], shown: Sequence[Row], reply: ChatResponse) -> Row:
        kept = {name: order[name] for name in self.keep}
        columns = {**reply.value.model_dump(), **kept, **dict.fromkeys(self.empty, "")}
        detail = self.build_provenance_detail(reply, order=dict(order))
        return make_synthetic_row(self.kind, columns, shown, "", **detail)
