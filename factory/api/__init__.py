"""All that a plugin may import."""

import pluggy

from factory import events as events
from factory.api.asking import Ask, Endpoint, Reply, Teacher, hub_hosts
from factory.api.choosing import choose
from factory.api.jobs import (
    AnswerJob,
    Base,
    ExportJob,
    FitJob,
    Job,
    Judge,
    ModelJob,
    ProbeJob,
    Reporter,
    RowsJob,
    ScoreJob,
    Silent,
    Tables,
)
from factory.api.kit import Decoder, Encoder, Kit, Learner, Written
from factory.api.lines import read_lines
from factory.api.made import group_of, made
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
    PlainAnswers,
    Probed,
    Provenance,
    Row,
    Scores,
    TrainResult,
)
from factory.api.settings import Adapter, Closed, Share, Train
from factory.api.speaking.objective import Speaking
from factory.api.texts import joined, normalise, twins

hookimpl = pluggy.HookimplMarker("factory")
"""Marks a function of a plugin package as one of the two hooks."""

__all__ = [
    "CONTRACT", "TEST", "TRAIN", "VALIDATION", "Adapter", "Answer", "AnswerJob", "Ask", "Base", "Closed",
    "Contender", "Curator", "Decision", "Decoder", "Encoder", "Endpoint", "Eval", "ExportJob", "Finding", "FitJob",
    "Guide", "Input", "Job", "Judge", "Kit", "Learner", "Message", "Metric", "ModelJob", "Objective",
    "PlainAnswers", "Plugin", "Probe", "ProbeJob", "Probed", "Provenance", "Reply", "Reporter", "Row", "RowsJob",
    "Runtime", "ScoreJob", "Scores", "Share", "Silent", "Source", "Speaking", "Synthesizer", "Tables", "Target", "Task",
    "Teacher", "Train", "TrainResult", "Written", "choose", "events", "group_of", "hookimpl", "hub_hosts", "joined",
    "made", "normalise", "read_lines", "render", "twins",
]
