"""Rows from a description alone: what they are about, and how often each kind of them is wanted."""

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
"""Tries of an order; each is a draw of its own, and orders that are alike have draws apart."""

MAX_EXAMPLE_POOL = 2000
"""Training rows, at most, among which examples are looked for."""

Mutator = Literal["none", "longer", "terser", "typo", "harder"]
AttributeWeights = list[str] | dict[str, float]


class FromDescription(TeacherSynthesizer):
    """Has the teacher write rows to order: attributes by their weights, crossed with topics and mutators.

    Each row is one order. What it yields must be new beside the training rows and what was made before: by its letters
    and, with `cosine`, by its meaning. An order that is refused is given again with another draw, `tries` times.
    """

    kind = "from-description"
    prompts = (SYSTEM, USER, EXAMPLES_PROMPT, *MUTATOR_PROMPTS.values())

    about: str = Field(min_length=1, description="what the rows are, in a sentence or two for the teacher")
    count: int = Field(ge=1, le=100_000, description="rows that are wanted")
    writes: dict[str, str] = Field(min_length=1, description="columns that the teacher writes, and what each is")
    attributes: dict[str, AttributeWeights] = Field({}, description="what varies, each a list of values or values with weights")
    topics: list[str] = Field([], description="what rows are about, all alike in weight")
    mutators: dict[Mutator, float] = Field({"none": 1.0}, description="how often each change of manner is wanted")
    keep: list[str] = Field([], description="attributes that become columns, such as the label")
    empty: list[str] = Field([], description="columns that are left empty, for `label` to fill")
    examples: int = Field(3, ge=0, le=20, description="training rows that an order shows, of its label if it has one")
    near: float = Field(0.7, gt=0, le=1, description="likeness (Jaccard of 5-grams) at which a text is not new")
    cosine: float = Field(1.0, gt=0, le=1, description="cosine at which a text is not new; 1 for no embedder")
    tries: int = Field(3, ge=1, le=MAX_TRIES, description="requests for one row, at most")
    temperature: float = Field(0.9, ge=0, le=2, description="of the teacher")

    @model_validator(mode="after")
    def _validate_attributes(self) -> FromDescription:
        if taken := sorted({"topic", MUTATOR_ATTRIBUTE} & {*self.attributes}):
            raise ValueError(f"{taken[0]!r} is no name for an attribute; there are topics and mutators for it")
        if unknown := sorted({*self.keep} - {*self._list_attribute_weights()} | {*self.keep} & {MUTATOR_ATTRIBUTE}):
            raise ValueError(f"keep names {unknown[0]!r}, which is no attribute")
        columns = [*self.writes, *self.keep, *self.empty]
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} is a column twice, among writes, keep and empty")
        for name, values in self._list_attribute_weights().items():
            if not values or min(values.values()) < 0 or not sum(values.values()):
                raise ValueError(f"{name}: give values, with weights of 0 or more that are not all 0")
        return self

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher", "embedder") if self.cosine < 1 else ("teacher",)

    def _choose_novelty_column(self, job: RowsJob) -> str:
        """The column that must be new: the task's text, where the teacher writes it, else the first by name."""
        return job.task.text_column if job.task and job.task.text_column in self.writes else min(self.writes)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        text = self._choose_novelty_column(job)
        known = [str(row.columns.get(text, "")) for row in job.rows]
        novelty, tally, schema = NoveltyFilter(job, known, self.near, self.cosine), Tally(), self._build_example_schema()
        orders = list(self._draw_orders())
        shown = list(self._draw_shown_examples(job, orders))
        done: dict[int, Row] = {}
        for turn in range(self.tries):
            waiting = [place for place in range(self.count) if place not in done]
            asks = [
                (place, self._build_order_request(orders[place], [str(row.columns.get(text)) for row in shown[place]],
                                  MAX_TRIES * place + turn, schema))
                for place in waiting
            ]
            written = list(ask_teacher(job, asks, tally))
            reasons = novelty.find_refusal_reasons([getattr(reply.value, text) for _, reply in written])
            for (place, reply), why in zip(written, reasons, strict=True):
                if why:
                    tally.count_refusal(why, getattr(reply.value, text))
                else:
                    done[place] = self._build_ordered_row(orders[place], shown[place], reply)
        tally.made_count = len(done)
        tally.report_tally(job.report, "rows", self.count)
        yield from prepare_made_rows(job, [done[place] for place in sorted(done)])

    def _list_attribute_weights(self) -> dict[str, dict[str, float]]:
        """What each order gets one value of, with the weights."""
        varied = dict(sorted(self.attributes.items()))
        given = {**({"topic": self.topics} if self.topics else {}), **varied, MUTATOR_ATTRIBUTE: dict(self.mutators)}
        return {
            name: {str(value): weight for value, weight in each.items()} if isinstance(each, dict)
            else dict.fromkeys(each, 1.0)
            for name, each in given.items()
        }

    def _draw_orders(self) -> Iterator[dict[str, str]]:
        """The values of each row that is wanted; a larger `count` begins with the same ones."""
        deals = {name: draw_stratified_values(weights, f"{self.seed} {name}") for name, weights in self._list_attribute_weights().items()}
        for _ in range(self.count):
            yield {name: next(values) for name, values in deals.items()}

    def _draw_shown_examples(self, job: RowsJob, orders: Sequence[Mapping[str, str]]) -> Iterator[list[Row]]:
        """For each order the training rows to show: with its values in the kept columns, where there are any such."""
        pool, text = defaultdict[tuple[str, ...], list[Row]](list), self._choose_novelty_column(job)
        rows = [row for row in sample_rows_by_id(job.rows, MAX_EXAMPLE_POOL, self.seed) if isinstance(row.columns.get(text), str)]
        for row in rows:
            pool[tuple(str(row.columns.get(name, "")) for name in self.keep)].append(row)
        for place, order in enumerate(orders):
            alike = pool.get(tuple(order[name] for name in self.keep)) or rows
            yield Random(f"{self.seed} shown {place}").sample(alike, min(self.examples, len(alike)))

    def _build_order_request(self, order: Mapping[str, str], shown: Sequence[str], draw: int, schema: type[BaseModel]) -> ChatRequest:
        lines = {**order, MUTATOR_ATTRIBUTE: MUTATOR_PROMPTS[order[MUTATOR_ATTRIBUTE]]}
        texts = "\n".join(f"- {each}" for each in shown)
        user = USER.replace("{fields}", " and ".join(f"`{name}`: {what}" for name, what in sorted(self.writes.items())))
        user = user.replace("{lines}", "\n".join(f"- {name}: {value}" for name, value in lines.items() if value))
        user = user.replace("{examples}", EXAMPLES_PROMPT.replace("{texts}", texts) if texts else "")
        system = SYSTEM.replace("{about}", self.about)
        return self.build_teacher_request(system, user, draw, schema=schema, temperature=self.temperature)

    def _build_example_schema(self) -> type[BaseModel]:
        fields: Any = {name: (str, Field(min_length=1, description=what)) for name, what in sorted(self.writes.items())}
        return create_model("Example", __config__=ConfigDict(extra="forbid", str_strip_whitespace=True), **fields)

    def _build_ordered_row(self, order: Mapping[str, str], shown: Sequence[Row], reply: ChatResponse) -> Row:
        columns = {
            **reply.value.model_dump(), **{name: order[name] for name in self.keep}, **dict.fromkeys(self.empty, ""),
        }
        return make_synthetic_row(self.kind, columns, shown, "", **self.build_provenance_detail(reply, order=dict(order)))
