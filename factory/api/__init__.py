"""All that a plugin may import."""

import pluggy

from factory import events as events
from factory.api.active_learning import select_for_labelling
from factory.api.causal_lm.objective import CausalLMObjective
from factory.api.jobs import (
    AnswerJob,
    Base,
    ExportJob,
    FitJob,
    Job,
    ModelJob,
    NoOpReporter,
    ProbeJob,
    Reporter,
    RowsJob,
    ScoreJob,
    Tables,
    ValidationScorer,
)
from factory.api.kit import Decoder, Encoder, Generation, Kit, TrainableModel
from factory.api.llm import ChatRequest, ChatResponse, Endpoint, Teacher, get_hub_hosts
from factory.api.plugin import CONTRACT, Input, Plugin, Runtime
from factory.api.roles import Contender, Curator, Eval, Objective, Probe, Source, Synthesizer, Target, Task
from factory.api.rows import (
    TEST,
    TRAIN,
    VALIDATION,
    Answer,
    Decision,
    Finding,
    Guide,
    Message,
    Metric,
    ProbeResult,
    Provenance,
    ReferenceAnswers,
    Row,
    Scores,
    TrainResult,
)
from factory.api.synthetic_rows import get_row_group, make_synthetic_row
from factory.api.training_args import Adapter, Fraction, SpecBlock, TrainingArgs
from factory.text.jsonl import read_numbered_jsonl
from factory.text.near_duplicates import find_duplicate_texts, join_text_columns, normalise
from factory.text.templates import render

hookimpl = pluggy.HookimplMarker("factory")
"""Marks a function of a plugin package as one of the two hooks."""

__all__ = [
    "CONTRACT", "TEST", "TRAIN", "VALIDATION", "Adapter", "Answer", "AnswerJob", "ChatRequest", "Base", "SpecBlock",
    "Contender", "Curator", "Decision", "Decoder", "Encoder", "Endpoint", "Eval", "ExportJob", "Finding", "FitJob",
    "Guide", "Input", "Job", "ValidationScorer", "Kit", "TrainableModel", "Message", "Metric", "ModelJob", "Objective",
    "ReferenceAnswers", "Plugin", "Probe", "ProbeJob", "ProbeResult", "Provenance", "ChatResponse", "Reporter", "Row", "RowsJob",
    "Runtime", "ScoreJob", "Scores", "Fraction", "NoOpReporter", "Source", "CausalLMObjective", "Synthesizer", "Tables", "Target", "Task",
    "Teacher", "TrainingArgs", "TrainResult", "Generation", "select_for_labelling", "events", "get_row_group", "hookimpl", "get_hub_hosts", "join_text_columns",
    "make_synthetic_row", "normalise", "read_numbered_jsonl", "render", "find_duplicate_texts",
]
