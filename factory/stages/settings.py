"""Settings: choose what the spec leaves to its rows (`auto`), by their number and lengths, the base and the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil

from factory.api import TRAIN, VALIDATION, Adapter, ModelJob, Row, TokenCounts
from factory.api.auto_settings import AUTO, RANKS
from factory.data.rows import write_json
from factory.models.token_memory import read_context_length, read_token_bytes
from factory.stages.job import StageJob, guard_plugin_call
from factory.store.chosen_settings import SETTINGS_FILE, read_chosen_settings
from factory.store.machine_memory import parse_memory_limit

MARGIN, STEP, LEAST = 1.25, 16, 32
"""A length is so much longer than the longest text, rounded up to a multiple, and at least so long."""
MAX_COUNTED_ROWS = 2000
"""Of more rows, so many of the longest and as many others are tokenised."""
TRAINING_SHARE = 0.3
"""Share of the memory that the texts of a training step may take, beside weights, libraries and what is loaded."""
RANK = "adapter.rank"
UNLIMITED = 10**9
TYPICAL = 0.95
"""Quantile of the lengths by which a step is sized."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that was chosen for a field, such as `objective.max_length`, and why. `is_limit`: the base or the memory
    allows no more, though there are longer texts."""

    field: str
    value: int | float
    reason: str
    is_limit: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """What the base and the machine allow: tokens of a text (0: unknown), tokens of a training step, and the memory."""

    context: int
    tokens: int
    gib: float


def run(job: StageJob) -> None:
    """Write `settings.json`: the chosen values as blocks of a spec, and each with its reason."""
    rows = job.open_input_rows("curate", f"{TRAIN}.jsonl")
    unseen = job.open_input_rows("freeze", f"{VALIDATION}.jsonl")
    room, choices = _measure_room(job), list[Choice]()
    counts = _count_tokens(job, [*_take_telling_rows(rows), *_take_telling_rows(unseen)])
    for name, tokens in counts.fields.items():
        if job.config["objective"].get(name) == AUTO:
            choices.append(choose_length(f"objective.{name}", tokens, room))
    longest = next((int(choice.value) for choice in choices), UNLIMITED)
    example = _measure_example(counts, longest)
    choices += _choose_schedule(job, len(rows), counts, example["tokens"], room)
    if job.config.get("adapter", {}).get("rank") == AUTO:
        choices.append(_choose_adapter_rank(job, rows, counts))
    chosen: dict[str, dict[str, int | float]] = {}
    for choice in choices:
        block, _, name = choice.field.partition(".")
        chosen.setdefault(block, {})[name] = choice.value
        job.report.note(f"{choice.field}: {choice.value:g}, as {choice.reason}")
    write_json(job.out / SETTINGS_FILE, {
        "chosen": chosen, "limited": [choice.field for choice in choices if choice.is_limit],
        "reasons": {choice.field: choice.reason for choice in choices}, "example": example,
    })


def choose_length(field: str, tokens: Sequence[int], room: Room) -> Choice:
    """Return a length for all texts of these numbers of tokens and somewhat longer ones, or as long as the base and the
    memory allow."""
    longest = max(tokens, default=0)
    wanted = max(LEAST, STEP * ceil(MARGIN * longest / STEP))
    reason = f"the longest of {len(tokens):,} texts has {longest:,} tokens"
    limit = min(filter(None, (room.context, room.tokens)))
    if wanted <= limit:
        return Choice(field, wanted, f"{reason}; a quarter more")
    cause = "the base reads no more" if limit == room.context else f"no more fit into {room.gib:.1f} GiB of memory"
    return Choice(field, limit, f"{reason}, and {cause}", is_limit=longest > limit)


def _choose_schedule(
    job: StageJob, rows: int, counts: TokenCounts, typical: int, room: Room
) -> Iterator[Choice]:
    """Yield what the task's schedule says of so many rows, of examples of a `typical` number of tokens."""
    schedule, given = job.load_task().schedule, job.config["train"]
    rows = max(1, round(rows * counts.examples_per_row))
    told = "rows" if counts.examples_per_row == 1 else "examples"
    size = given.get("batch_size", 0)
    if size == AUTO:
        size = schedule.choose_batch_size(rows, room.tokens // max(1, typical))
        reason = f"there are {rows:,} training {told}"
        if size * 2 * typical > room.tokens and size < schedule.batch_size:
            reason = f"a training example has up to {typical:,} tokens, and they may take {room.gib:.1f} GiB"
        yield Choice("train.batch_size", size, reason)
    if given.get("epochs") == AUTO:
        epochs = schedule.choose_epochs(rows, size)
        steps = epochs * ceil(rows / size)
        wanted = f"{schedule.steps} are usual, in {schedule.least_epochs} to {schedule.most_epochs} epochs"
        yield Choice("train.epochs", epochs, f"{rows:,} training {told} make {steps:,} steps of {size}; {wanted}")


def _measure_example(counts: TokenCounts, longest: int) -> dict[str, int]:
    """Return the tokens of a typical training example, and those of its answers."""
    tokens = min(longest, _compute_quantile(next(iter(counts.fields.values()), ()), TYPICAL))
    answers = min(longest, _compute_quantile(counts.completions, TYPICAL))
    return {"tokens": tokens * counts.texts_per_example, "answers": answers * counts.texts_per_example}


def choose_rank(tokens: int, parameters: int) -> Choice:
    """Return the smallest power of two whose update has as many parameters as the completions have tokens, 8 to 256;
    `parameters` are those of rank 1. Without completions, the usual rank.

    An update that has fewer parameters than its rows have tokens loses to full fine-tuning ("LoRA Without Regret",
    Schulman et al. 2025, Thinking Machines Lab).
    """
    if not tokens:
        return Choice(RANK, Adapter().rank, "no completions are learnt word by word, whose tokens would decide it")
    rank = next((size for size in RANKS if size * parameters >= tokens), RANKS[-1])
    kind = "the smallest rank" if rank == RANKS[0] else "the largest rank" if rank * parameters < tokens else "it"
    said = f"{rank * parameters:,} parameters, for {tokens:,} tokens of completions"
    return Choice(RANK, rank, f"{kind} has {said}", is_limit=rank * parameters < tokens)


def _choose_adapter_rank(job: StageJob, rows: Sequence[Row], counts: TokenCounts) -> Choice:
    """Return the rank of the adapter, of a later step that of the first one, whose adapter it trains further."""
    if "before" in job.inputs:
        rank = read_chosen_settings(job.inputs["before"])["chosen"]["adapter"]["rank"]
        return Choice(RANK, rank, "the step before trains the adapter with it")
    return _choose_base_rank(job, rows) if counts.completions else choose_rank(0, 0)


def _choose_base_rank(job: StageJob, rows: Sequence[Row]) -> Choice:
    """Return the rank for all tokens of the completions; of many rows, those of some are counted, evenly spread."""
    step = max(1, len(rows) // MAX_COUNTED_ROWS)
    counted = _count_tokens(job, [rows[number] for number in range(0, len(rows), step)]).completions
    from factory.ml.linear_layers import count_rank_parameters

    parameters = count_rank_parameters(job.load_base().folder, job.config["adapter"]["targets"])
    return choose_rank(round(sum(counted) * len(rows) / len(range(0, len(rows), step))), parameters)


def _count_tokens(job: StageJob, rows: Sequence[Row]) -> TokenCounts:
    objective, task = job.load_objective(), job.load_task()
    work = ModelJob(**job.build_job_fields(), rows=rows, base=job.load_base(), task=task)
    with guard_plugin_call(objective, rows, work.tables):
        return objective.count_tokens(work)


def _take_telling_rows(rows: Sequence[Row]) -> list[Row]:
    """Return all rows, or of many the longest and some of the others, which have the same longest text and nearly the
    same quantiles."""
    if len(rows) <= 2 * MAX_COUNTED_ROWS:
        return [*rows]
    sizes = [(-len(str(row.columns)), number) for number, row in enumerate(rows)]
    longest = [number for _, number in sorted(sizes)[:MAX_COUNTED_ROWS]]
    others = range(0, len(rows), len(rows) // MAX_COUNTED_ROWS)
    return [rows[number] for number in sorted({*chain(longest, others)})]


def _compute_quantile(values: Sequence[int], share: float) -> int:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0


def _measure_room(job: StageJob) -> Room:
    memory = TRAINING_SHARE * parse_memory_limit(job.config["memory"])
    model = job.inputs["base"] / "model"
    return Room(read_context_length(model), max(LEAST, int(memory / read_token_bytes(model))), memory / 2**30)
