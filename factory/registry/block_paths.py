"""The paths of plugin blocks in a spec, with the role that each takes."""

from collections.abc import Mapping

from factory.yaml import NodePath

SINGLE_BLOCKS: Mapping[NodePath, str] = {("task",): "task", ("objective",): "objective"}
BLOCK_LISTS: Mapping[NodePath, str] = {
    ("data", "sources"): "source", ("data", "synthesize"): "synthesizer", ("data", "curate"): "curator",
    ("contenders",): "contender", ("evaluate",): "eval", ("targets",): "target",
}
STEP_LISTS: Mapping[NodePath, str] = {("objective",): "objective"}
"""Single blocks that may also be a list of blocks: the steps of a training course."""
