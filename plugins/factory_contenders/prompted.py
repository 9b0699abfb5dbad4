"""Prompting, as well as a good engineer would do it: what a fine-tune has to be worth more than."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from factory.api import Answer, AnswerJob, Base, Contender, Endpoint, Input
from factory_contenders.asking import PLAIN, Arm, Asking, Told
from factory_contenders.choosing import choose
from factory_contenders.endpoint import Remote
from factory_contenders.shots import Embed, Shots, tfidf
from factory_contenders.speakers import Local, Speaker
from factory_contenders.wording import Wording

UNSAID = 256
"""Tokens of an answer where neither a field nor the objective says more."""

Selection = Literal["fixed", "nearest"]
Shown = Annotated[int, Field(ge=0, le=64)]


class Prompted(Contender):
    """The base under its instruction, with examples chosen on validation rows and decoding constrained as tuned's is.

    Every arm (a number of examples, chosen in one of the ways) answers the same validation rows, of many arms the
    better half all of them; the best by the deciding metric, of equals the one with the shorter prompts, answers the
    test rows. Where the answer is one of few it is the likeliest, by log-probability, also calibrated by what the
    prompt prefers when nothing is asked.
    """

    kind = "prompted"
    is_prompt_only = True
    uses_validation_score = True

    model: Literal["student", "prompter"] = Field("student", description="which model of the spec is prompted")
    endpoint: Endpoint | None = Field(None, description="a model behind an OpenAI-compatible endpoint instead")
    instruction: str = Field("", description="in the place of the task's system message; may show {column}")
    instruction_file: Annotated[Path | None, Input()] = Field(None, description="the instruction as a file of text")
    shots: list[Shown] = Field([0, 2, 4], min_length=1, description="numbers of worked examples to try")
    selection: list[Selection] = Field(
        ["fixed", "nearest"], min_length=1,
        description="how examples are chosen: the same diverse ones for every row, or those nearest to it",
    )
    similarity: Literal["characters", "embedder"] = Field(
        "characters", description="what is near: TF-IDF of characters, or the embeddings of models.embedder"
    )
    budget: int = Field(1024, ge=16, description="tokens of a prompt; examples that do not fit are left out")
    tries: int = Field(24, ge=1, description="validation rows on which every arm is tried")
    new_tokens: int | None = Field(None, ge=1, description="tokens of an answer, at most; by default the objective's")

    @model_validator(mode="after")
    def _one_instruction(self) -> Self:
        if self.instruction and self.instruction_file is not None:
            raise ValueError("give instruction or instruction_file, not both")
        return self

    def get_required_models(self) -> tuple[str, ...]:
        prompter = ("prompter",) if self.model == "prompter" and self.endpoint is None else ()
        return (*prompter, *(("embedder",) if self._near() and self.similarity == "embedder" else ()))

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.task.output_type not in ("text", "labels"):
            raise ValueError(f"a model can not be prompted for {job.task.output_type!r} answers; leave this contender out")
        asking = self._asking(job)
        arm, variant, tried = self._choose(job, asking)
        told = asking.ask(job.rows, arm)
        self._record(job, asking, told, {"arm": arm.name, "reading": variant, "tried": tried})
        yield from told.variants[variant]

    def _asking(self, job: AnswerJob) -> Asking:
        choices = job.task.list_choices(job.train)
        if job.task.output_type == "labels" and not choices:
            raise ValueError(f"the task {job.task.kind!r} names no choices, so that no label can be weighed")
        wording = Wording(job.task, self._instruction(job), choices)
        limit = self.new_tokens or int(getattr(job.objective, "max_new_tokens", UNSAID))
        return Asking(job, self._speaker(job), wording, self._shots(job, wording), self.budget, limit)

    def _instruction(self, job: AnswerJob) -> str:
        if self.instruction_file is None:
            return self.instruction
        return (job.root / self.instruction_file).read_text(encoding="utf-8").strip()

    def _speaker(self, job: AnswerJob) -> Speaker:
        if self.endpoint is not None:
            return Remote(self.endpoint, job.get_teacher(self.endpoint), job.report)
        return Local(job.kit.load_decoder(self._base(job)), job.report)

    def _base(self, job: AnswerJob) -> Base:
        return job.models["prompter"] if self.model == "prompter" else job.base

    def _near(self) -> bool:
        """Whether texts are compared at all."""
        return any(self.shots)

    def _shots(self, job: AnswerJob, wording: Wording) -> Shots | None:
        if not self._near():
            return None
        if not job.train:
            raise ValueError("no training rows to show as examples; set shots: [0]")
        return Shots(job.train, wording.text, self._embed(job, wording), job.seed)

    def _embed(self, job: AnswerJob, wording: Wording) -> Embed:
        if self.similarity == "embedder":
            return lambda texts: job.kit.embed(job.models["embedder"], texts)
        return tfidf([wording.text(row) for row in job.train])

    def _arms(self) -> list[Arm]:
        counts = sorted(set(self.shots))
        zero = [Arm("fixed", 0)] if 0 in counts else []
        return [*zero, *(Arm(how, count) for how in dict.fromkeys(self.selection) for count in counts if count)]

    def _choose(self, job: AnswerJob, asking: Asking) -> tuple[Arm, str, list[dict[str, Any]]]:
        """The best arm and reading on validation rows, and what each was worth there."""
        arms = self._arms()
        rows = Random(job.seed).sample(job.validation, min(self.tries, len(job.validation)))
        readings = bool(asking.wording.choices) and asking.speaker.calibrates
        if len(arms) == 1 and not (readings and rows):
            return arms[0], PLAIN, []
        if not rows:
            raise ValueError("no validation rows to choose the prompt on; set data.split.validation to 50 or more")
        tried = choose(asking, arms, rows)
        best = tried[0]
        job.report.note(f"prompting: {best.arm.name} was the best of {len(arms)} ways on {len(rows)} validation rows")
        return best.arm, best.reading, [each.facts() for each in tried]

    def _record(self, job: AnswerJob, asking: Asking, told: Told, chosen: dict[str, Any]) -> None:
        named = self.endpoint.model if self.endpoint else self._base(job).id
        job.record_facts(
            model=named, **chosen, tries=min(self.tries, len(job.validation)), prompt_tokens=round(told.tokens, 1),
            dropped=told.dropped, over_budget=asking.over(told), budget=self.budget, **asking.speaker.facts(),
        )
        if over := asking.over(told):
            job.report.note(f"{over} prompts exceed the budget of {self.budget} without any example", warning=True)


class Frontier(Prompted):
    """The same asked of an endpoint, to stand beside the local one: contenders are told apart by kind."""

    kind = "frontier"

    @model_validator(mode="after")
    def _has_endpoint(self) -> Self:
        if self.endpoint is None:
            raise ValueError("needs endpoint: {model: …, base_url: …}")
        return self
