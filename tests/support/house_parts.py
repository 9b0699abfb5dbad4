"""What a fresh interpreter loads or does with a changed package, and what a piece of code reads off other things."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from places import ROOT

HEAVY = ("torch", "transformers", "peft", "sentence_transformers", "datasets", "trl", "accelerate")


def loaded_after(code: str, *arguments: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running some code."""
    script = f"import sys\nsys.argv[1:] = {list(arguments)!r}\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    script += "print('\\n' + ' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.splitlines()[-1].split())


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def called(node: ast.expr) -> str:
    """What an expression is called: `split` in `spec.data.split` and in `settings["split"]`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else ""


def reads(node: ast.AST) -> Iterator[tuple[str, str]]:
    """(owner, field) of everything that is read off something else, as an attribute or by a constant key."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load):
            yield called(part.value), part.attr
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            yield called(part.value), str(part.slice.value)


def words(node: ast.AST) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def changed_package(folder: Path, file: str, before: str, added: str) -> Path:
    """A folder whose package has `added` in front of `before` in `file`; every other file is a link."""
    here, there, changed = ROOT / "factory", folder / "factory", Path(file)
    for depth in range(len(changed.parts)):
        level = Path(*changed.parts[:depth])
        (there / level).mkdir(parents=True)
        for path in (here / level).iterdir():
            if path.name not in (changed.parts[depth], "__pycache__"):
                (there / level / path.name).symlink_to(path)
    text = (here / file).read_text("utf-8")
    assert text.count(before) == 1, before
    (there / file).write_text(text.replace(before, added + before), encoding="utf-8")
    return folder


def on_path(folder: Path) -> str:
    """The PYTHONPATH with a folder in front of what is on it."""
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


def ask(folder: Path, home: Path, *arguments: str) -> str:
    """What a command prints when the package is the one in that folder."""
    environment = {**os.environ, "PYTHONPATH": on_path(folder), "FACTORY_HOME": str(home)}
    command = [sys.executable, "-m", "factory", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=home).stdout


ADAPTER_CHANGES = {
    "adapter.kind": "full", "adapter.rank": "5", "adapter.alpha": "5", "adapter.dropout": "0.1",
    "adapter.targets": "[value]", "adapter.rslora": "true", "adapter.dora": "true", "adapter.save": "bf16",
    "adapter.trainable_tokens": "[ADR]", "adapter.serve_precision": "bf16",
}
"""Another value for every field of `adapter:`, and below what else a spec must say for it to be of use."""
ADAPTER_NEEDS = {
    "adapter.kind": ("adapter.rank=auto",), "adapter.save": ("adapter.rank=auto", "adapter.kind=full"),
    "adapter.serve_precision": ("adapter.kind=qlora",),
}
ADAPTER_OF_TEXTS = {"adapter.trainable_tokens", "adapter.serve_precision"}
"""Fields that only a spec with a generative student may set, such as this one."""
VOICE = """\
apiVersion: factory/v1
name: voice
task: brand-voice
models: {student: ./base, embedder: ./other}
data: {sources: [{kind: jsonl, file: corpus.jsonl, columns: [question, neutral, answer]}]}
"""

RUNTIME = {
    "budget.wall_time": "1h", "budget.memory": "2GiB", "budget.threads": "2", "train.checkpoint_every": "7",
    "budget.tokens": "9", "budget.cost": "2", "budget.parallel": "auto",
}
LENT = {"models.embedder", "models.prompter", "models.teacher", "models.judge"}
"""Models that are there for a plugin that uses them."""

CONSTANT = {"apiVersion", "profiles"}
"""The one has a single value; the other is a layer of values, each of which counts where it lands."""

NEEDS = {"gate.target": ("contenders=[tuned, bm25, prompted]",), "train.patience": ("train.keep=best",),
         "train.evaluate_every": ("train.keep=best",),
         "train.head_learning_rate": ("objective=cross-encoder",), **ADAPTER_NEEDS,
         "gate.steps": ("objective=[late-interaction, late-interaction]",)}
"""What else a spec must say for a field to be of use."""
