from __future__ import annotations

from pathlib import Path

import pytest

from factory.errors import SpecError
from factory.yaml import Node, format_path, format_value, parse_option_value, parse_spec_text, read_spec_file


def complaint(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse_spec_text(text, "s.yaml")
    return str(caught.value)


def test_every_key_and_item_knows_its_place() -> None:
    top = parse_spec_text("a:\n  - x\n  - b: 1\nc: {d: 2}\n", "s.yaml")
    places = {steps: top.find(steps) for steps in [("a",), ("a", 0), ("a", 1, "b"), ("c", "d")]}
    found = {format_path(steps): (node.location.line, node.location.column) for steps, node in places.items() if node}
    assert found == {"a": (1, 1), "a[0]": (2, 5), "a[1].b": (3, 5), "c.d": (4, 5)}


def test_scalars_are_what_yaml_1_2_says() -> None:
    text = "[no, on, 1:30, 010, 2024-01-01, 1e-3, 0o10, 0x1F, .5, ~, null, True, '3', \"no\", 1_000, .]"
    assert parse_spec_text(f"a: {text}", "s.yaml").to_plain()["a"] == [
        "no", "on", "1:30", 10, "2024-01-01", 0.001, 8, 31, 0.5, None, None, True, "3", "no", "1_000", ".",
    ]


def test_core_tags_are_read_and_must_be_true() -> None:
    assert parse_spec_text("a: !!str 5\nc: ! 5\nd: !!int 7", "s.yaml").to_plain() == {"a": "5", "c": "5", "d": 7}
    assert complaint("a: !!int x") == "s.yaml:1:4: a: 'x' is not a !!int; remove the tag"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: empty; a spec starts with `apiVersion: factory/v1`"),
        ("- a", "1:1: a spec is a mapping of fields, such as `name: my-specialist`"),
        ("a: 1\na: 2", "2:1: a: duplicate field, first in line 1; keep one"),
        ("a: &x 1", "1:4: a: the anchor &x is not supported; write out the value at each *x"),
        ("a: !!python/x", "1:4: a: the tag !!python/x is not supported; a spec is plain data, remove it"),
        ("a: 1\n---\nb: 2", "2:1: a second document; keep one spec per file and remove the `---`"),
        ("%YAML 1.1\n---\na: 1", "1:1: % directives are not supported; remove the line"),
        ("a:\n\tb: 1", "2:1: a tab in the indentation; use spaces"),
        ("a: \x1b[31m", "1:4: contains a control character; remove it"),
        ("1: 2", "1:1: a field name must be text; quote it: '1'"),
        ("[a]: 2", "1:1: a field name must be plain text; quote a value that starts with this character"),
        ("a: -.inf", "1:4: a: -.inf is not supported; use a finite number"),
        ("a: 1e999", "1:4: a: 1e999 is too large a number; quote it if it is text"),
        ("a: [1, 2\n\n", "1:4: not YAML: did not find expected ',' or ']'; "
         "a bracket is not closed, or a comma is missing"),
    ],
)
def test_what_is_refused_says_where_and_what_to_do(text: str, message: str) -> None:
    assert complaint(text) == f"s.yaml:{message}"


def test_all_that_can_be_seen_at_once_is_said_at_once() -> None:
    assert complaint("a: &x 1\nb: *y\nc: .nan\nc: 2").count("\n") == 3


def test_a_name_can_not_write_to_the_terminal() -> None:
    assert "\x1b" not in complaint('"\\e[31m": 1\n"\\e[31m": 2')
    assert format_value("\x1b[31m") == "'\\x1b[31m'" and len(format_value("x" * 999)) == 60


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes("a: 1\nb: é".encode("latin-1"))
    with pytest.raises(SpecError, match=r"s\.yaml:2:4: not UTF-8; save the file as UTF-8"):
        read_spec_file(path)


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes("\ufeffa: é".encode())
    assert read_spec_file(path).to_plain() == {"a": "é"}


@pytest.mark.parametrize(("name", "why"), [("none.yaml", "No such file or directory"), ("", "Is a directory")])
def test_a_file_that_can_not_be_read_is_one_line(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_spec_file(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: cannot be read: {why}"


def test_an_option_is_yaml_on_one_line() -> None:
    assert [parse_option_value(text, "--set a=…").to_plain() for text in ("[1, x]", "", "{b: no}", "1e-3", "a b")] == [
        [1, "x"], "", {"b": "no"}, 0.001, "a b",
    ]
    with pytest.raises(SpecError, match=r"^--set a=\[: not YAML: .*a bracket is not closed"):
        parse_option_value("[", "--set a=[")


def test_nodes_are_found_by_steps_alone() -> None:
    top = parse_spec_text("a: [1]", "s.yaml")
    assert isinstance(top.find(("a", 0)), Node)
    assert [top.find(steps) for steps in [("b",), ("a", 1), ("a", "x"), ("a", 0, "x"), (0,)]] == [None] * 5
