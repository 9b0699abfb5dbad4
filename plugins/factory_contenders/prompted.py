"""Prompting, as well as a good engineer would do it: what a fine-tune has to be worth more than."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from factory.api import Answer, AnswerJob, Base, Contender, Endpoint, Input
from factory_contenders.arm_selection import rank_prompt_arms
from factory_contenders.chat_backends import ChatBackend, LocalChatBackend
from factory_contenders.endpoint_backend import EndpointChatBackend
from factory_contenders.few_shot import FewShotSelector, TextEmbedder, fit_tfidf_embedder
from factory_contenders.prompt_builder import PromptBuilder
from factory_contenders.prompt_runner import PLAIN_READING, ArmAnswers, PromptArm, PromptRunner

DEFAULT_PROMPTED_TOKENS = 256
"""Tokens of an answer where neither a field nor the objective says more."""

ShotSelection = Literal["fixed", "nearest"]
ShotCount = Annotated[int, Field(ge=0, le=64)]


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
    shots: list[ShotCount] = Field([0, 2, 4], min_length=1, description="numbers of worked examples to try")
    selection: list[ShotSelection] = Field(
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
    def _require_one_instruction(self) -> Self:
        if self.instruction and self.instruction_file is not None:
            raise ValueError("give instruction or instruction_file, not both")
        return self

    def get_required_models(self) -> tuple[str, ...]:
        prompter = ("prompter",) if self.model == "prompter" and self.endpoint is None else ()
        return (*prompter, *(("embedder",) if self._has_shots() and self.similarity == "embedder" else ()))

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.task.output_type not in ("text", "labels"):
            raise ValueError(
                f"a model can not be prompted for {job.task.output_type!r} answers; leave this contender out"
            )
        asking = self._build_prompt_runner(job)
        arm, variant, tried = self._choose_prompt_arm(job, asking)
        told = asking.run_arm(job.rows, arm)
        self._record_prompting(job, asking, told, {"arm": arm.name, "reading": variant, "tried": tried})
        yield from told.variants[variant]

    def _build_prompt_runner(self, job: AnswerJob) -> PromptRunner:
        choices = job.task.list_choices(job.train)
        if job.task.output_type == "labels" and not choices:
            raise ValueError(f"the task {job.task.kind!r} names no choices, so that no label can be weighed")
        wording = PromptBuilder(job.task, self._read_instruction(job), choices)
        limit = self.new_tokens or int(getattr(job.objective, "max_new_tokens", DEFAULT_PROMPTED_TOKENS))
        return PromptRunner(
            job, self._build_chat_backend(job), wording, self._build_few_shot_selector(job, wording), self.budget, limit
        )

    def _read_instruction(self, job: AnswerJob) -> str:
        if self.instruction_file is None:
            return self.instruction
        return (job.root / self.instruction_file).read_text(encoding="utf-8").strip()

    def _build_chat_backend(self, job: AnswerJob) -> ChatBackend:
        if self.endpoint is not None:
            return EndpointChatBackend(self.endpoint, job.get_teacher(self.endpoint), job.report)
        return LocalChatBackend(job.kit.load_decoder(self._choose_prompted_base(job)), job.report)

    def _choose_prompted_base(self, job: AnswerJob) -> Base:
        return job.models["prompter"] if self.model == "prompter" else job.base

    def _has_shots(self) -> bool:
        """Whether texts are compared at all."""
        return any(self.shots)

    def _build_few_shot_selector(self, job: AnswerJob, wording: PromptBuilder) -> FewShotSelector | None:
        if not self._has_shots():
            return None
        if not job.train:
            raise ValueError("no training rows to show as examples; set shots: [0]")
        return FewShotSelector(
            job.train, wording.get_comparison_text, self._build_text_embedder(job, wording), job.seed
        )

    def _build_text_embedder(self, job: AnswerJob, wording: PromptBuilder) -> TextEmbedder:
        if self.similarity == "embedder":
            return lambda texts: job.kit.embed(job.models["embedder"], texts)
        return fit_tfidf_embedder([wording.get_comparison_text(row) for row in job.train])

    def _list_prompt_arms(self) -> list[PromptArm]:
        counts = sorted(set(self.shots))
        zero = [PromptArm("fixed", 0)] if 0 in counts else []
        return [*zero, *(PromptArm(how, count) for how in dict.fromkeys(self.selection) for count in counts if count)]

    def _choose_prompt_arm(self, job: AnswerJob, asking: PromptRunner) -> tuple[PromptArm, str, list[dict[str, Any]]]:
        """The best arm and reading on validation rows, and what each was worth there."""
        arms = self._list_prompt_arms()
        rows = Random(job.seed).sample(job.validation, min(self.tries, len(job.validation)))
        readings = bool(asking.prompt_builder.choices) and asking.backend.can_calibrate
        if len(arms) == 1 and not (readings and rows):
            return arms[0], PLAIN_READING, []
        if not rows:
            raise ValueError("no validation rows to choose the prompt on; set data.split.validation to 50 or more")
        tried = rank_prompt_arms(asking, arms, rows)
        best = tried[0]
        job.report.note(f"prompting: {best.arm.name} was the best of {len(arms)} ways on {len(rows)} validation rows")
        return best.arm, best.reading, [each.build_report_entry() for each in tried]

    def _record_prompting(self, job: AnswerJob, asking: PromptRunner, told: ArmAnswers, chosen: dict[str, Any]) -> None:
        named = self.endpoint.model if self.endpoint else self._choose_prompted_base(job).id
        job.record_facts(
            model=named, **chosen, tries=min(self.tries, len(job.validation)),
            prompt_tokens=round(told.mean_prompt_tokens, 1),
            dropped=told.examples_left_out, over_budget=asking.count_over_budget(told), budget=self.budget,
            **asking.backend.collect_usage(),
        )
        if over := asking.count_over_budget(told):
            job.report.note(f"{over} prompts exceed the budget of {self.budget} without any example", warning=True)


class Frontier(Prompted):
    """The same asked of an endpoint, to stand beside the local one: contenders are told apart by kind."""

    kind = "frontier"

    @model_validator(mode="after")
    def _require_endpoint(self) -> Self:
        if self.endpoint is None:
            raise ValueError("needs endpoint: {model: …, base_url: …}")
        return self
