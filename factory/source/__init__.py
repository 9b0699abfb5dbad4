"""YAML with the line and column of every key and list item."""

from factory.source.nodes import Node, SourceLocation, NodePath, format_path, format_name, build_node, format_value
from factory.source.reader import parse_spec_text, parse_option_value, read_spec_file

__all__ = ["Node", "SourceLocation", "NodePath", "format_path", "format_name", "build_node", "parse_spec_text", "parse_option_value", "read_spec_file", "format_value"]
