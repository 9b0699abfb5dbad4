"""Checks of the paths of a spec: what is written lies below its folder, and what is read is a file or a folder."""

from __future__ import annotations

import os
from pathlib import Path

from factory.spec.validation import SpecDraft
from factory.yaml import format_value

REVIEW_FILE_STEPS = ("data", "review", "file")


def check_review_file(draft: SpecDraft, root: Path) -> None:
    """Report a file of decisions that is not below the spec's folder, links resolved: `factory review` writes to it."""
    name = draft.get_field_text(*REVIEW_FILE_STEPS)
    if not name:
        return
    try:
        target, folder = (root / name).resolve(), root.resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, or a loop of links
        draft.add_problem(REVIEW_FILE_STEPS, f"{format_value(name)} is not a path of a file")
        return
    if not target.is_relative_to(folder) or target == folder:
        text = f"{format_value(name)} is {target}, outside of the spec's folder; decisions are written below it only"
        draft.add_problem(REVIEW_FILE_STEPS, text)
    elif target.suffix != ".jsonl" or any(part.startswith(".") for part in target.relative_to(folder).parts):
        # A shell or a tool reads some files by their names, and rows hold what a stranger wrote.
        draft.add_problem(REVIEW_FILE_STEPS, f"{format_value(name)} is not the name of a visible .jsonl file")
    elif problem := describe_irregular_path(target):
        draft.add_problem(REVIEW_FILE_STEPS, f"{format_value(name)} {problem}")


def describe_irregular_path(path: Path) -> str:
    """Return what is wrong with an existing path that is neither a regular file nor a folder, else an empty text.

    Reading a pipe waits for ever, and a device such as /dev/zero has no end.
    """
    if not os.path.exists(path) or path.is_file() or path.is_dir():
        return ""
    return "is a device, a pipe or a socket; name a regular file or a folder"
