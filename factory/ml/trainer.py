"""The training loop: `transformers.Trainer` with the collation and loss of an objective."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from factory.api import FitJob, Reporter
from factory.ml.checkpoints import (
    collect_trainable_parameters,
    find_newest_checkpoint,
    load_trainable_parameters,
    save_trainable_parameters,
    seal_checkpoint,
)
from factory.ml.device import choose_device
from factory.ml.validation import BestWeights, measure_loss

LossFunction = Callable[[nn.Module, Any], Tensor]
CollateFunction = Callable[[list[Any]], Any]
TRAINABLE_FILE = "trainable.safetensors"
BATCH_KEY = "batch"
LOSS_CURVE_POINTS = 60
"""Approximate number of points of a loss curve."""


class Learner(Protocol):
    """A model with new adapters in training mode, as a backend creates it."""

    @property
    def model(self) -> nn.Module:
        """The model, whose trainable parameters are those that require gradients."""

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the base."""

    @property
    def modules_to_save(self) -> tuple[str, ...]:
        """The names of new modules, such as a head."""

    @property
    def word_ids(self) -> tuple[int, ...]:
        """The token ids whose embeddings are trained."""

    def list_adapted_layers(self) -> list[str]:
        """Return the names of the layers with an adapter."""

    def count_parameters(self) -> int:
        """Return the number of parameters, those of the adapters included."""

    def begin_step(self) -> None:
        """Prepare the model for a forward pass with the parameters of this step."""

    def collect_adapter_tensors(self) -> dict[str, Tensor]:
        """Return the trained tensors by their names in PEFT's format, but without PEFT's prefix."""


def train_modules_in_fp32(model: nn.Module, modules_to_save: tuple[str, ...]) -> None:
    """Make modules such as a new head trainable in fp32, whatever the precision of the frozen base."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in modules_to_save:
            # The inputs of a head, in the working precision, are cast to the fp32 of its weights.
            module.register_forward_pre_hook(lambda _, inputs: tuple(tensor.float() for tensor in inputs))
    for name, parameter in model.named_parameters():
        if any(part in name.split(".") for part in modules_to_save):
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)


class _AdapterTrainer(Trainer):  # type: ignore[misc]
    """Trainer with a given loss, and checkpoints of trainable parameters only."""

    def __init__(self, learner: Learner, loss: LossFunction, head_rate: float | None, **settings: Any) -> None:
        super().__init__(model=learner.model, **settings)
        self.learner, self.loss, self.head_rate = learner, loss, head_rate

    def compute_loss(self, model: nn.Module, inputs: Any, *_: Any, **__: Any) -> Tensor:
        self.learner.begin_step()
        return self.loss(model, inputs[BATCH_KEY]).to(self.args.device)

    def create_optimizer(self, *models: Any) -> Any:
        """Create the optimizer; a new head gets its own learning rate, if the settings have one."""
        optimizer: Any = super().create_optimizer(*models)
        trainable = collect_trainable_parameters(self.learner.model)
        new = {*self.learner.modules_to_save}
        head = {id(value) for name, value in trainable.items() if new & {*name.split(".")}}
        for group in list(optimizer.param_groups) if self.head_rate is not None else ():
            own = [value for value in group["params"] if id(value) in head]
            group["params"] = [value for value in group["params"] if id(value) not in head]
            if own:
                optimizer.add_param_group({**group, "params": own, "lr": self.head_rate})
        return optimizer

    def _prepare_inputs(self, inputs: Any) -> Any:
        return inputs  # a batch of texts is no mapping of tensors; the forward pass makes them, on the device

    def floating_point_ops(self, inputs: Any) -> int:
        return 0  # Trainer would estimate it from tensors, which a batch of texts is not

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_trainable_parameters(self.learner.model, folder / TRAINABLE_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_trainable_parameters(self.learner.model, Path(resume_from_checkpoint) / TRAINABLE_FILE)

    def _save_checkpoint(self, *arguments: Any, **settings: Any) -> None:
        super()._save_checkpoint(*arguments, **settings)
        seal_checkpoint(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")


class ThroughputMeter:
    """Counts the tokens of training batches, and measures tokens per second."""

    def __init__(self) -> None:
        self.tokens = 0
        self._last_reading = (time.monotonic(), 0)

    def count_tokens(self, ids: Sequence[Sequence[int]]) -> None:
        """Add the tokens of tokenised texts."""
        self.tokens += sum(map(len, ids))

    def measure_rate(self) -> float:
        """Return tokens per second since the previous call (at first, since creation); 0.0 when no time has passed."""
        (last_time, last_tokens), now = self._last_reading, time.monotonic()
        self._last_reading = (now, self.tokens)
        return (self.tokens - last_tokens) / (now - last_time) if now > last_time else 0.0


METER = ThroughputMeter()
"""The meter of this process, which trains one model at a time."""


class _ReportCallback(TrainerCallback):  # type: ignore[misc]
    """Reports progress, loss, learning rate and tokens per second to the journal."""

    def __init__(self, report: Reporter) -> None:
        self.report = report

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        METER.measure_rate()  # restarts the meter: tokens packed before belong to another fit

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.report.report_progress(state.global_step, state.max_steps, "steps")

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: Any
    ) -> None:
        if "loss" in logs:
            rate = logs.get("learning_rate", 0.0)
            speed = {"tokens_per_second": round(tokens, 1)} if (tokens := METER.measure_rate()) else {}
            self.report.log_metrics(state.global_step, loss=logs["loss"], learning_rate=rate, **speed)


def train_learner(
    learner: Learner, rows: Sequence[Any], collate: CollateFunction, loss: LossFunction, job: FitJob,
    validation: Sequence[Any] = (),
) -> tuple[int, dict[str, Any]]:
    """Train to the end, from the newest complete checkpoint in the job's work folder if there is one.

    `collate` turns `batch_size` rows into a batch, `loss` a model and a batch into a scalar. Equal rows and settings
    give equal parameters, also after interruptions. Returns the number of steps, and what the validation rows decided:
    with `keep: best`, the model ends with the weights that had the lowest loss on them.
    """
    settings, work, report = job.train, job.work, job.report
    epoch_steps = math.ceil(len(rows) / settings.batch_size)
    steps = math.ceil(epoch_steps * settings.epochs)
    parts = min(settings.gradient_accumulation, settings.batch_size)
    arguments = TrainingArguments(
        str(work), num_train_epochs=settings.epochs, per_device_train_batch_size=math.ceil(settings.batch_size / parts),
        gradient_accumulation_steps=parts, max_grad_norm=settings.gradient_clip,
        learning_rate=settings.learning_rate, lr_scheduler_type=settings.lr_scheduler,
        warmup_steps=round(settings.warmup_ratio * steps), weight_decay=settings.weight_decay, seed=settings.seed,
        data_seed=settings.seed, optim="adamw_torch_fused", report_to=[], remove_unused_columns=False,
        save_steps=settings.checkpoint_every, save_total_limit=2, logging_steps=max(1, steps // LOSS_CURVE_POINTS),
        disable_tqdm=True, dataloader_pin_memory=False, use_cpu=choose_device().type == "cpu",
    )
    # With several GPUs, Trainer would use DataParallel, which splits a batch of tensors: a packed one has no such rows.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    loop = _AdapterTrainer(
        learner, loss, settings.head_learning_rate, args=arguments, train_dataset=list(rows),
        callbacks=[_ReportCallback(report)], data_collator=lambda batch: {BATCH_KEY: collate(batch)},
    )
    loop.remove_callback(PrinterCallback)  # the journal reports instead
    best = None
    if settings.keep == "best" and validation:
        measure = partial(measure_loss, learner, validation, collate, loss, settings.batch_size)
        best = BestWeights(learner, measure, work, report, every=settings.evaluate_every or epoch_steps,
                           patience=settings.patience)
        loop.add_callback(best)
    elif settings.keep == "best":
        report.note("no validation rows: the weights of the last step are kept", warning=True)
    if best and best.has_stopped:  # killed after its last step
        return max(best.losses), best.restore_best(max(best.losses), steps)
    resumed = find_newest_checkpoint(work, report)
    if resumed is not None:
        report.note(f"resuming training from step {resumed.name.rpartition('-')[2]} of {steps}")
    loop.train(resume_from_checkpoint=str(resumed) if resumed else None)
    last = int(loop.state.global_step)
    return last, best.restore_best(last, steps) if best else {}
