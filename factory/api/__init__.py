"""All that a plugin may import."""

import pluggy

from factory import events as events
from factory.api.asking import ChatRequest, Endpoint, ChatResponse, Teacher, get_hub_hosts
from factory.api.choosing import select_for_labelling
from factory.api.jobs import (
    AnswerJob,
    Base,
    ExportJob,
    FitJob,
    Job,
    ValidationScorer,
    ModelJob,
    ProbeJob,
    Reporter,
    RowsJob,
    ScoreJob,
    NoOpReporter,
    Tables,
)
from factory.api.kit import Decoder, Encoder, Kit, TrainableModel, Generation
from factory.api.lines import read_numbered_jsonl
from factory.api.made import get_row_group, make_synthetic_row
from factory.api.plugin import CONTRACT, Input, Plugin, Runtime
from factory.api.render import render
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
    ReferenceAnswers,
    ProbeResult,
    Provenance,
    Row,
    Scores,
    TrainResult,
)
from factory.api.settings import Adapter, SpecBlock, Fraction, TrainingArgs
from factory.api.speaking.objective import CausalLMObjective
from factory.api.texts import join_text_columns, normalise, find_duplicate_texts

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
