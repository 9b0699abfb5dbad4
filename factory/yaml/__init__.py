"""YAML parsing that keeps the line and column of every key and list item."""

from factory.yaml.nodes import Node, NodePath, SourceLocation, build_node, format_name, format_path, format_value
from factory.yaml.reader import parse_option_value, parse_spec_text, read_spec_file

__all__ = [
    "Node", "NodePath", "SourceLocation", "build_node", "format_name", "format_path", "format_value",
    "parse_option_value", "parse_spec_text", "read_spec_file",
]
