"""What a fresh interpreter loads, and what a piece of code reads off other things."""

from __future__ import annotations

import ast
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
