"""The public API: everything that a plugin may import."""

import pluggy

from factory import events as events
from factory.api.active_learning import select_for_labelling
from factory.api.artifact import Artifact, ArtifactKind
from factory.api.auto_settings import Auto, Schedule, TokenCounts, get_number
from factory.api.causal_lm.objective import CausalLMObjective
from factory.api.deployable_contender import DeployableContender
from factory.api.grammar import Grammar
from factory.api.jobs import (
    AnswerJob,
    Base,
    ExportJob,
    FitJob,
    Job,
    ModelJob,
    NoOpReporter,
    ProbeJob,
    ReferenceJob,
    Reporter,
    RowsJob,
    ScoreJob,
    Tables,
    ValidationScorer,
)
from factory.api.kit import Decoder, Encoder, Generation, Kit, TrainableModel
from factory.api.llm import ChatRequest, ChatResponse, Endpoint, Teacher, get_hub_hosts
from factory.api.plugin import CONTRACT, Plugin
from factory.api.roles import Contender, Curator, Eval, Objective, Probe, Source, Synthesizer, Target, Task
from factory.api.rows import (
    TEST,
    TRAIN,
    VALIDATION,
    Answer,
    Decision,
    Finding,
    Message,
    Metric,
    ProbeResult,
    Provenance,
    ReferenceAnswers,
    Row,
    ScoredAnswer,
    Scores,
    TokenLogprob,
    TrainResult,
    find_distribution_problem,
)
from factory.api.spec_block import Fraction, Input, Runtime, SpecBlock
from factory.api.synthetic_rows import get_row_group, make_synthetic_row
from factory.api.training_args import Adapter, TrainingArgs
from factory.api.version_contender import VersionContender
from factory.text.jsonl import read_numbered_jsonl
from factory.text.labels import normalise_label
from factory.text.normalise import is_blank, join_text_columns, normalise, normalise_words, remove_invisible
from factory.text.templates import render, write_as_text

hookimpl = pluggy.HookimplMarker("factory")
"""Decorator for the two hooks of a plugin package, `factory_plugins` and `factory_event`."""

__all__ = [
    "CONTRACT", "TEST", "TRAIN", "VALIDATION", "Adapter", "Answer", "AnswerJob", "Artifact", "ArtifactKind", "Auto",
    "Base", "CausalLMObjective", "ChatRequest", "ChatResponse", "Contender", "Curator", "Decision", "Decoder",
    "DeployableContender", "Encoder", "Endpoint", "Eval", "ExportJob", "Finding", "FitJob", "Fraction", "Generation",
    "Grammar", "Input", "Job", "Kit", "Message", "Metric", "ModelJob", "NoOpReporter", "Objective", "Plugin", "Probe",
    "ProbeJob", "ProbeResult", "Provenance", "ReferenceAnswers", "ReferenceJob", "Reporter", "Row", "RowsJob",
    "Runtime", "Schedule", "ScoreJob", "ScoredAnswer", "Scores", "Source", "SpecBlock", "Synthesizer", "Tables",
    "Target", "Task", "Teacher", "TokenCounts", "TokenLogprob", "TrainResult", "TrainableModel", "TrainingArgs",
    "ValidationScorer", "VersionContender", "events", "find_distribution_problem", "get_hub_hosts", "get_number",
    "get_row_group", "hookimpl", "is_blank", "join_text_columns", "make_synthetic_row", "normalise",
    "normalise_label", "normalise_words", "read_numbered_jsonl", "remove_invisible", "render",
    "select_for_labelling", "write_as_text",
]
