"""Prompting with few-shot selection: the baseline that a fine-tuned model must beat."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from factory.api import (
    Answer,
    AnswerJob,
    Base,
    DeployableContender,
    Endpoint,
    Input,
    Objective,
    Task,
    TrainResult,
    get_number,
)
from factory.api.label_sets import LABEL_SETS
from factory_contenders.arm_selection import rank_prompt_arms
from factory_contenders.chat_backends import ChatBackend, LocalChatBackend
from factory_contenders.endpoint_backend import EndpointChatBackend
from factory_contenders.few_shot import FewShotSelector, fit_tfidf_embedder
from factory_contenders.label_set_prompts import SET_INSTRUCTION
from factory_contenders.prompt_builder import CHOICE_INSTRUCTION, PromptBuilder
from factory_contenders.prompt_responder import PromptResponder
from factory_contenders.prompt_runner import PLAIN_READING, ArmAnswers, PromptArm, PromptRunner
from factory_contenders.saved_prompt import SavedPrompt, write_prompt

DEFAULT_PROMPTED_TOKENS = 256
"""Token limit of an answer if neither the field nor the objective sets one."""

ShotSelection = Literal["fixed", "nearest"]
ShotCount = Annotated[int, Field(ge=0, le=64)]


class Prompted(DeployableContender):
    """Prompts the base model, with few-shot examples selected on validation rows and the same constrained decoding.

    Every arm (number and selection of examples) answers the same validation rows; of many arms, only the better half
    sees all of them. The arm with the best deciding metric, of equals the one with the shortest prompts, answers the
    test rows. If the answer is one of a few choices, the most probable one is taken, with and without calibration for
    the bias of the prompt; if it is a set of labels, the model writes a JSON list of them.
    """

    kind = "prompted"
    version = 2
    is_prompt_only = True
    uses_validation_score = True

    model: Literal["student", "prompter"] = Field("student", description="model of the spec to prompt")
    endpoint: Endpoint | None = Field(None, description="OpenAI-compatible endpoint to prompt instead")
    instruction: str = Field("", description="replaces the system message of the task; may contain {column}")
    instruction_file: Annotated[Path | None, Input()] = Field(None, description="text file with the instruction")
    shots: list[ShotCount] = Field([0, 2, 4], min_length=1, description="numbers of few-shot examples to try")
    selection: list[ShotSelection] = Field(
        ["fixed", "nearest"], min_length=1,
        description="selection of examples: a fixed diverse set for all rows, or the nearest to each row",
    )
    similarity: Literal["characters", "embedder"] = Field(
        "characters", description="similarity of texts: TF-IDF of characters, or embeddings by models.embedder"
    )
    max_prompt_tokens: int = Field(1024, ge=16, description="prompt token limit; examples beyond it are dropped")
    validation_rows: int = Field(24, ge=1, description="validation rows on which arms are compared")
    max_new_tokens: int | None = Field(
        None, ge=1, description="token limit of an answer; by default that of the objective"
    )

    @model_validator(mode="after")
    def _require_one_instruction(self) -> Self:
        if self.instruction and self.instruction_file is not None:
            raise ValueError("give either `instruction` or `instruction_file`")
        return self

    def get_required_models(self) -> tuple[str, ...]:
        prompter = ("prompter",) if self.model == "prompter" and self.endpoint is None else ()
        return (*prompter, "embedder") if any(self.shots) and self.similarity == "embedder" else prompter

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.task.output_type not in ("text", "labels", LABEL_SETS):
            raise ValueError(f"cannot prompt for {job.task.output_type!r} answers; remove this contender")
        runner = self._build_prompt_runner(job)
        arm, variant, entries = self._choose_prompt_arm(job, runner)
        answers = runner.run_arm(job.rows, arm)
        self._record_prompting(job, runner, answers, {"arm": arm.name, "reading": variant, "tried": entries})
        yield from answers.variants[variant]

    def find_responder(self, task: Task) -> Objective | None:
        # Neither an endpoint nor embeddings are at hand where a bundle is certified; sets of labels have no one text.
        is_local = self.endpoint is None and not (any(self.shots) and self.similarity == "embedder")
        return PromptResponder() if is_local and task.output_type in ("text", "labels") else None

    def get_base_alias(self) -> str:
        return "prompter" if self.model == "prompter" else ""

    def export_artifact(self, job: AnswerJob, out: Path) -> TrainResult:
        arm, builder = PromptArm.from_name(job.facts["arm"]), self._build_prompt_builder(job)
        few_shot = self._build_few_shot_selector(job, builder) if arm.shots else None
        saved = SavedPrompt(
            builder.instruction, tuple(builder.choices), builder.choice_instruction, arm, job.facts["reading"],
            self.max_prompt_tokens, self._get_max_answer_tokens(job), job.seed,
        )
        return write_prompt(out, saved, builder, few_shot, job)

    def _build_prompt_runner(self, job: AnswerJob) -> PromptRunner:
        builder = self._build_prompt_builder(job)
        backend, few_shot = self._build_chat_backend(job), self._build_few_shot_selector(job, builder)
        limit = self._get_max_answer_tokens(job)
        return PromptRunner(job.tables, backend, builder, few_shot, self.max_prompt_tokens, limit)

    def _build_prompt_builder(self, job: AnswerJob) -> PromptBuilder:
        choices = job.task.list_choices(job.train)
        if job.task.output_type in ("labels", LABEL_SETS) and not choices:
            raise ValueError(f"the task {job.task.kind!r} lists no labels to choose from; remove this contender")
        instruction = self.instruction
        if self.instruction_file is not None:
            instruction = (job.root / self.instruction_file).read_text(encoding="utf-8").strip()
        asked = SET_INSTRUCTION if job.task.output_type == LABEL_SETS else CHOICE_INSTRUCTION
        return PromptBuilder(job.task, instruction, choices, asked)

    def _get_max_answer_tokens(self, job: AnswerJob) -> int:
        return self.max_new_tokens or get_number(
            getattr(job.objective, "max_new_tokens", DEFAULT_PROMPTED_TOKENS), DEFAULT_PROMPTED_TOKENS
        )

    def _build_chat_backend(self, job: AnswerJob) -> ChatBackend:
        if self.endpoint is not None:
            return EndpointChatBackend(self.endpoint, job.get_teacher(self.endpoint), job.report)
        return LocalChatBackend(job.kit.load_decoder(self._choose_prompted_base(job)), job.report)

    def _choose_prompted_base(self, job: AnswerJob) -> Base:
        return job.models["prompter"] if self.model == "prompter" else job.base

    def _build_few_shot_selector(self, job: AnswerJob, builder: PromptBuilder) -> FewShotSelector | None:
        if not any(self.shots):
            return None
        if not job.train:
            raise ValueError("there are no training rows to use as examples; set `shots: [0]`")
        get_text = builder.get_comparison_text
        if self.similarity == "embedder":
            return FewShotSelector(job.train, get_text, partial(job.kit.embed, job.models["embedder"]), job.seed)
        embed = fit_tfidf_embedder([get_text(row) for row in job.train])
        return FewShotSelector(job.train, get_text, embed, job.seed)

    def _choose_prompt_arm(self, job: AnswerJob, runner: PromptRunner) -> tuple[PromptArm, str, list[dict[str, Any]]]:
        """Return the best arm and reading on validation rows, and the report entries of all."""
        counts, selections = sorted({*self.shots} - {0}), dict.fromkeys(self.selection)
        arms = [PromptArm("fixed", 0)] if 0 in self.shots else []
        arms += [PromptArm(selection, count) for selection in selections for count in counts]
        rows = Random(job.seed).sample(job.validation, min(self.validation_rows, len(job.validation)))
        has_readings = bool(runner.prompt_builder.choices) and runner.backend.can_calibrate and not runner.answers_sets
        if len(arms) == 1 and not (has_readings and rows):  # nothing to choose between
            return arms[0], PLAIN_READING, []
        if not rows:
            raise ValueError("no validation rows to select the prompt on; set `data.split.validation` to 50 or more")
        results = rank_prompt_arms(runner, job, arms, rows)
        best = results[0]
        job.report.note(f"prompting: selected {best.arm.name} (arms: {len(arms)}, validation rows: {len(rows)})")
        return best.arm, best.reading, [result.build_report_entry() for result in results]

    def _record_prompting(
        self, job: AnswerJob, runner: PromptRunner, answers: ArmAnswers, chosen: dict[str, Any]
    ) -> None:
        model = self.endpoint.model if self.endpoint else self._choose_prompted_base(job).id
        limit = self.max_prompt_tokens
        over_budget = sum(prompt.tokens > limit for prompt in answers.prompts)
        job.record_facts(
            model=model, **chosen, tries=min(self.validation_rows, len(job.validation)),
            prompt_tokens=round(answers.mean_prompt_tokens, 1), dropped=answers.examples_left_out,
            over_budget=over_budget, budget=limit, **runner.backend.collect_usage(),
        )
        if over_budget:  # such prompts are sent as they are
            subject = "1 prompt exceeds" if over_budget == 1 else f"{over_budget} prompts exceed"
            job.report.note(f"{subject} max_prompt_tokens ({limit}) even without examples", warning=True)


class Frontier(Prompted):
    """`prompted` on an endpoint, under a kind of its own, so that a spec can have both."""

    kind = "frontier"

    @model_validator(mode="after")
    def _require_endpoint(self) -> Self:
        if self.endpoint is None:
            raise ValueError("set `endpoint: {model: …, base_url: …}`")
        return self
