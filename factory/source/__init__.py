"""YAML with the line and column of every key and list item."""

from factory.source.nodes import Node, Place, Steps, dotted, name_shown, node_of, shown
from factory.source.reader import parse, parse_value, read

__all__ = ["Node", "Place", "Steps", "dotted", "name_shown", "node_of", "parse", "parse_value", "read", "shown"]
