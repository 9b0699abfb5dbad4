"""Where a spec names plugins: the path of every plugin block, with the role that may stand there."""

from collections.abc import Mapping

from factory.yaml import NodePath

SINGLE_BLOCKS: Mapping[NodePath, str] = {("task",): "task", ("objective",): "objective"}
BLOCK_LISTS: Mapping[NodePath, str] = {
    ("data", "sources"): "source",
    ("data", "synthesize"): "synthesizer",
    ("data", "curate"): "curator",
    ("contenders",): "contender",
    ("evaluate",): "eval",
    ("targets",): "target",
}
