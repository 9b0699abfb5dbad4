"""No field is accepted that nothing reads: every field of a spec, and of every installed plugin, has a consumer."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from house_parts import reads, tree, words
from pydantic import BaseModel, Field
from tiny_retrieval import SPEC, WORDS, collection, write

import factory
from factory.api import Eval, Metric, Plugin, Probe, Runtime, Source, SpecBlock
from factory.api.spec_block import has_marker
from factory.errors import SpecError
from factory.plan.compiler import compile_plan
from factory.registry.registry import Registry
from factory.spec.fields import Spec
from factory.spec.layers import resolve_spec

CODE = Path(factory.__file__).parent
DEFINED = {CODE / "spec" / "fields.py", CODE / "api" / "training_args.py"}
SHOWING = {"cli", "tui", "report", "views", "serve", "runs"}
"""Code that only shows what was read is no consumer."""

ROLES = (Probe, Source)
"""Roles that have fields of their own, which the stages read."""

ALIASES = {"preflight": {"limits"}, "train": {"settings"}, "split": {"settings"}}
"""How code calls a block where it does not call it as the spec does."""

CHANGES = {
    "name": "other", "task": "task.top_k=6", "models.student": "./other",
    "data.sources": "[{kind: retrieval, corpus: corpus.jsonl, queries: queries.jsonl, qrels: qrels.jsonl}]",
    "data.split.test": "31", "data.split.validation": "11", "data.split.stratify": "query", "data.split.seed": "8",
    "data.split.renew": "1", "data.preflight.label_spelling": "0.3", "data.preflight.unseen_label": "0.3",
    "data.limit": "9", "data.synthesize": "[{kind: hard-negatives, count: 2}]", "data.curate": "[near]",
    "data.leakage.jaccard": "0.7", "data.leakage.cosine": "0.9", "data.leakage.columns": "[query]",
    "data.require": "[{metric: rows, min: 1}]", "data.preflight.truncated": "0.3", "data.preflight.empty": "0.3",
    "data.preflight.missing": "0.3", "data.preflight.unreachable": "0.3", "objective": "bi-encoder",
    "adapter.rank": "5", "adapter.alpha": "5", "adapter.dropout": "0.1", "train.epochs": "4", "train.batch_size": "9",
    "train.learning_rate": "0.01", "train.warmup_ratio": "0.2", "train.lr_scheduler": "cosine",
    "train.weight_decay": "0.1", "train.seed": "8", "train.precision": "bf16", "train.backend": "hf",
    "train.seeds": "2", "train.keep": "best", "train.patience": "1", "train.head_learning_rate": "0.02",
    "contenders": "[tuned, bm25]", "evaluate": "[ranking, halved]",
    "gate.metric": "ndcg@10", "gate.margin": "0.1", "gate.confidence": "0.9", "gate.resamples": "501",
    "gate.floor": "0.1", "gate.target": "0.9", "gate.guards": "[{metric: mrr@10, within: 0.02}]",
    "gate.match": "{contender: hybrid, within: 0.02}", "gate.seed": "8", "targets": "[]", "gate.steps": "[1]",
    **{f"data.preflight.{name}": "0.3" for name in (
        "rare_label", "answer_truncated", "no_supervised_tokens", "missing_eos", "prompt_mismatch",
        "conflicting_answers", "identical_pair", "opposite_pair", "answer_is_prompt", "empty_document")},
    "data.on_error": "skip", "data.review": "{file: decisions.jsonl}", "data.facts": "{change: daily}",
}
"""Another value for every field that the output depends on."""

NEEDS = {"gate.target": ("contenders=[tuned, bm25, prompted]",), "train.patience": ("train.keep=best",),
         "train.head_learning_rate": ("objective=cross-encoder",), "gate.steps": (f"objective={['bi-encoder'] * 2}",)}
"""What else a spec must say for a field to be of use."""

RUNTIME = {
    "budget.wall_time": "1h", "budget.memory": "2GiB", "budget.threads": "2", "train.checkpoint_every": "7",
    "budget.tokens": "9", "budget.cost": "2", "budget.parallel": "auto",
}
LENT = {"models.embedder", "models.prompter", "models.teacher", "models.judge"}
"""Models that are there for a plugin that uses them."""

CONSTANT = {"apiVersion", "profiles"}
"""The one has a single value; the other is a layer of values, each of which counts where it lands."""


def blocks(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel], str]]:
    """(dotted path, the model that has it, field) of every leaf below a model."""
    for name, field in model.model_fields.items():
        here = f"{path}.{name}" if path else name
        inner = field.annotation
        if inspect.isclass(inner) and issubclass(inner, BaseModel):
            yield from blocks(inner, here)
        else:
            yield here, model, name


def unread_of_spec(model: type[BaseModel]) -> list[str]:
    """Fields of a spec that no module of the factory, but those that define them, takes out of their block."""
    files = [
        file for file in sorted(CODE.rglob("*.py"))
        if file not in DEFINED and file.relative_to(CODE).parts[0] not in SHOWING
    ]
    taken = {read for file in files for read in reads(tree(file))}
    named = set().union(*(words(tree(file)) for file in files if file.parent.name == "spec"))
    packages = {Path(inspect.getfile(one)).parent for plugin in Registry.load().list_classes() for one in ours(plugin)}
    folders = {*packages, CODE / "data"}
    checks = {word for folder in folders for file in folder.glob("*.py") for word in words(tree(file))}
    left = []
    for path, _, name in blocks(model):
        owner = path.split(".")[-2] if "." in path else "spec"
        known = any((alias, name) in taken for alias in {owner, *ALIASES.get(owner, ())})
        by_word = name in checks if owner == "preflight" else "." not in path and name in named
        known = known or path in LENT  # each is read by its name, which its own test shows
        raw = owner == "data" and name in named
        if not (known or by_word or raw):
            left.append(path)
    return left


def unread_of_plugin(kind: type[Plugin]) -> list[str]:
    """Fields of a plugin that neither its class, nor one it inherits from, nor their own block reads off `self`."""
    bodies = [body for ancestor in ours(kind) for body in _bodies(ancestor)]
    taken = {read for body in bodies for read in reads(body)}
    taken |= {("self", name) for role in ROLES if issubclass(kind, role) for name in role.model_fields}
    taken |= {("self", name) for function, given in _functions_given(kind)
              for owner, name in reads(function) if owner == given}
    left = []
    for path, block, name in blocks(kind):
        owner = path.split(".")[-2] if "." in path else "self"
        whole = owner != "self" and (owner, "model_dump") in taken  # the block is handed on as it is
        itself = owner != "self" and ("self", name) in {read for body in _bodies(block) for read in reads(body)}
        if (owner, name) not in taken and not whole and not itself:
            left.append(path)
    return left


def ours(kind: type[Plugin]) -> list[type[Plugin]]:
    """A plugin and what it is made of, down to its bare role."""
    bare = ("factory.api.roles", "factory.api.plugin")
    return [each for each in kind.__mro__ if issubclass(each, Plugin) and each.__module__ not in bare]


def _bodies(kind: type) -> Iterator[ast.AST]:
    for part in ast.walk(tree(Path(inspect.getfile(kind)))):
        if isinstance(part, ast.ClassDef) and part.name == kind.__name__:
            yield part


def _functions_given(kind: type) -> Iterator[tuple[ast.AST, str]]:
    """Functions of the plugin's package with a parameter that is annotated with its class, and that parameter."""
    for file in Path(inspect.getfile(kind)).parent.glob("*.py"):
        for part in ast.walk(tree(file)):
            if isinstance(part, ast.FunctionDef):
                yield from ((part, given.arg) for given in part.args.args
                            if isinstance(given.annotation, ast.Name) and given.annotation.id == kind.__name__)


def test_every_field_of_a_spec_is_read() -> None:
    assert unread_of_spec(Spec) == []


@pytest.mark.parametrize("kind", Registry.load().list_classes(), ids=lambda kind: f"{kind.role}-{kind.kind}")
def test_every_field_of_a_plugin_is_read(kind: type[Plugin]) -> None:
    assert unread_of_plugin(kind) == []


class Watching(SpecBlock):
    """A block of which nothing is read but nothing."""

    epochs: int = Field(3, description="a name that another block has")
    whiskers: int = Field(3, description="nobody asks")


class Cat(Spec):
    """A spec with fields that nobody reads."""

    watching: Watching = Field(Watching(), description="nobody looks")
    tail: int = Field(1, description="nobody wags it")


class Fur(SpecBlock):
    """How a cat's fur is."""

    colour: str = "grey"
    length: int = 3


class Purring(Source):
    """A source that reads one of its fields."""

    kind = "purring"
    loud: bool = True
    quiet: bool = False
    deep: bool = False
    fur: Fur = Fur()

    def said(self) -> str:
        return f"{self.loud} {self.fur.colour}"


def purr(cat: Purring) -> bool:
    """Reads a field of a plugin that it is given."""
    return cat.deep


def test_a_field_that_nobody_reads_is_found() -> None:
    assert unread_of_spec(Cat) == ["watching.epochs", "watching.whiskers", "tail"]
    assert unread_of_plugin(Purring) == ["quiet", "fur.length"]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reranker's spec with two bases that look like models; planning opens neither."""
    folder = tmp_path_factory.mktemp("plan")
    for name in ("base", "other"):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps({"model_type": name}))
        (folder / name / "model.safetensors").write_bytes(b"")
    for name, values in collection(len(WORDS) // 10, 20).items():
        write(folder / f"{name}.jsonl", values)
    (folder / "tiny.yaml").write_text(SPEC)
    return folder / "tiny.yaml"


class Halved(Eval):
    """Another eval for rankings."""

    kind = "halved"
    output_type = "ranking"
    metrics = (Metric("half", "of something"),)
    primary_metric = "half"


class Borrowed(Halved):
    """An eval that needs both further models."""

    kind = "borrowed"

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder", "prompter")


@pytest.fixture(scope="module")
def registry() -> Registry:
    loaded = Registry.load()
    loaded.add(Halved, "")
    loaded.add(Borrowed, "")
    return loaded


def keys(spec: Path, registry: Registry, *overrides: str) -> dict[str, str]:
    return {stage.name: stage.key
        for stage in compile_plan(resolve_spec(spec, overrides=overrides, registry=registry)).stages}


def runtime(model: type[BaseModel]) -> set[str]:
    return {path for path, owner, name in blocks(model) if has_marker(owner, name, Runtime)}


def test_the_table_of_changes_is_complete() -> None:
    assert {path for path, _, _ in blocks(Spec)} == {*CHANGES, *RUNTIME, *CONSTANT, *LENT}
    assert runtime(Spec) == set(RUNTIME)


@pytest.mark.parametrize("path", CHANGES)
def test_a_field_that_changes_the_output_changes_a_key(spec: Path, registry: Registry, path: str) -> None:
    change, needs = CHANGES[path], NEEDS.get(path, ())
    changed = change if change.startswith(f"{path}.") else f"{path}={change}"
    assert keys(spec, registry, *needs, changed) != keys(spec, registry, *needs)


def lent(spec: Path, registry: Registry, evals: str, **models: str) -> dict[str, str]:
    named = (f"models.{name}={reference}" for name, reference in models.items())
    return keys(spec, registry, f"evaluate={evals}", *named)


@pytest.mark.parametrize("name", ["embedder", "prompter"])
def test_a_further_model_counts_where_it_is_used_and_is_refused_where_it_is_not(
    spec: Path, registry: Registry, name: str) -> None:
    both = {"embedder": "./base", "prompter": "./base"}
    one = lent(spec, registry, "[ranking, borrowed]", **both)
    other = lent(spec, registry, "[ranking, borrowed]", **{**both, name: "./other"})
    changed = {stage for stage in one if one[stage] != other[stage]}
    assert changed == {f"base[{name}]", "score", "gate", "bundle", "certify"}
    with pytest.raises(SpecError, match=f"needs the model '{name}'"):
        lent(spec, registry, "[ranking, borrowed]", **{n: v for n, v in both.items() if n != name})
    with pytest.raises(SpecError, match="unused; remove it"):
        lent(spec, registry, "[ranking]", **{name: "./base"})


@pytest.mark.parametrize("path", RUNTIME)
def test_a_runtime_field_changes_no_key(spec: Path, registry: Registry, path: str) -> None:
    assert keys(spec, registry, f"{path}={RUNTIME[path]}") == keys(spec, registry)


class Counted(Source):
    """A source with a field of each sort."""

    kind = "counted"
    rows_: int = 3
    workers: Annotated[int, Runtime] = 2
    file: str = "a"


def test_a_plugins_fields_enter_its_identity_but_for_runtime_ones(tmp_path: Path) -> None:
    def known(**fields: Any) -> Any:
        return Counted(**fields).compute_identity(tmp_path)

    assert known(workers=9) == known()
    assert known(rows_=4) != known() != known(file="b")
