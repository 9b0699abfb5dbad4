"""Every former name of a spec field is refused with its new name, at the right line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from factory.api import Endpoint
from factory.errors import SpecError
from factory.registry.block_paths import BLOCK_LISTS, SINGLE_BLOCKS
from factory.registry.registry import Registry
from factory.spec.fields import Spec
from factory.spec.layers import resolve_spec
from factory.spec.messages import list_fields_at
from factory.spec.renamed_keys import RENAMED_KEYS
from factory.yaml import NodePath, format_path

PATHS: dict[str, NodePath] = {role: steps for steps, role in SINGLE_BLOCKS.items()}
PATHS |= {role: (*steps, 0) for steps, role in BLOCK_LISTS.items()}
FIELDS = [(block, old) for block, names in RENAMED_KEYS.items() for old in names]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


def errors(steps: NodePath, block: str, folder: Path, registry: Registry) -> list[str]:
    """The errors of a spec that says nothing but this block, in its third line."""
    for step in reversed(steps):
        block = f"[{block}]" if isinstance(step, int) else f"{{{step}: {block}}}"
    (folder / "s.yaml").write_text(f"apiVersion: factory/v1\nname: renamed\n{block[1:-1]}\n")
    with pytest.raises(SpecError) as caught:
        resolve_spec(folder / "s.yaml", registry=registry)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def column(steps: NodePath, block: str, word: str) -> int:
    """The column of a word in the block, as `errors` writes it."""
    return sum(1 if isinstance(step, int) else len(step) + 3 for step in steps) + block.index(f"{word}: 0")


@pytest.mark.parametrize(("place", "old"), FIELDS, ids=str)
def test_a_former_field_is_refused_with_the_new_name(place: str, old: str, tmp_path: Path, registry: Registry) -> None:
    owner, *below = place.split(".")
    role, _, kind = owner.partition(":")
    model: type[BaseModel] = registry.find(role, kind) if kind else Endpoint if place == "endpoint" else Spec
    fields = () if place == "endpoint" else tuple(below) if kind else (owner, *below)
    inner = f"{old}: 0"
    for name in reversed(below if kind else []):
        inner = f"{name}: {{{inner}}}"
    steps = PATHS[role] if kind else ("models", "teacher") if place == "endpoint" else fields
    block = f"{{kind: {kind}, {inner}}}" if kind else f"{{{inner}}}"
    new = RENAMED_KEYS[place][old]
    assert new in list_fields_at(model, fields) and old not in list_fields_at(model, fields)
    path = format_path((*steps, *(below if kind else ()), old))
    expected = f"s.yaml:3:{column(steps, block, old)}: {path}: unknown field; it is called {new!r} now"
    assert expected in errors(steps, block, tmp_path, registry)


def test_a_field_of_an_endpoint_is_found_in_a_plugin_too(tmp_path: Path, registry: Registry) -> None:
    told = errors(("contenders", 0), "{kind: prompted, endpoint: {body: 0}}", tmp_path, registry)
    expected = "contenders[0].endpoint.body: unknown field; it is called 'extra_body' now"
    assert [line for line in told if line.endswith(expected)]
