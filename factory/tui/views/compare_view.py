"""The Compare screen: which contenders are compared, and their answers to a row with the words that differ marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import partial

from factory.evaluation.comparison import Comparison
from factory.tui.rich_text import Line, join_blocks, make_line, sanitise, sanitise_lines, to_plain_text, wrap_line
from factory.views.compare import LETTERS, build_row_view

MAX_INPUT_LINES, LAST_INPUT_LINES = 5, 2
"""An input of more lines is shown below the answers, with only its last lines above them."""
MIN_ANSWER_WIDTH = 26
"""Answers that would get fewer cells than this are shown below each other instead of side by side."""


def render_legend(comparison: Comparison, other: int, width: int) -> list[Line]:
    """Return what each letter stands for, with `▸` at the two sides whose rows are compared."""
    names = [
        make_line((f"{'▸' if i in (0, other) else ' '}{LETTERS[i]} ", "accent"), (sanitise(label), "strong"))
        for i, label in enumerate(comparison.labels)
    ]
    runs = [side.run_outputs.run for side in comparison.sides]
    if len({run.id for run in runs}) == 1:
        spans = (span for name in names for span in (*name, ("  ", "")))
        return wrap_line(make_line(*spans, (f"of {sanitise(runs[0].name)} {runs[0].id}", "dim")), width, 2)
    lines: list[Line] = []
    for name, side in zip(names, comparison.sides, strict=True):
        lines += wrap_line(make_line(*name, (f"  {side.contender} of {side.run_outputs.run.id}", "dim")), width, 4)
    return lines


def render_answers(comparison: Comparison, row: str, other: int, width: int) -> list[Line]:
    """Return the answers of all sides to one row, side by side if they fit, with differing words underlined."""
    page = build_row_view(comparison.row_viewer, row, comparison.sides, comparison.metric)
    given = [line for text in sanitise_lines(page.given) for line in wrap_line(make_line(text), width) if page.given]
    shown = given[-LAST_INPUT_LINES:] if len(given) > MAX_INPUT_LINES else given
    marked = _highlight_differences([answer.text for answer in page.answers], other)
    heads = [
        make_line((f"{answer.letter} {sanitise(label)}", "title"), (f"  {answer.score}", "dim"))
        for answer, label in zip(page.answers, comparison.labels, strict=True)
    ]
    blocks = [partial(_wrap_lines, [head, *text]) for head, text in zip(heads, marked, strict=True)]
    lines = [make_line((sanitise(row), "dim"), ("  …" if shown != given else "", "dim")), *shown]
    lines += join_blocks(blocks, width, MIN_ANSWER_WIDTH)
    return lines if shown == given else [*lines, make_line(), make_line(("input", "title")), *given]


def _wrap_lines(lines: Sequence[Line], width: int) -> list[Line]:
    return [part for line in lines for part in wrap_line(line, width)]


def _highlight_differences(texts: Sequence[str], other: int) -> list[list[Line]]:
    """Return each text as lines, with the words marked that differ: of A from the other side, of the rest from A."""
    clean = ["\n".join(sanitise_lines(text)) for text in texts]
    answers = []
    for i, text in enumerate(clean):
        rival = clean[other] if i == 0 and other < len(clean) else clean[0]
        tone = "more" if i == 0 else "less"
        pieces, _ = diff_words(text, rival)
        answers.append(_split_lines([(piece, tone if differs and piece.strip() else "") for piece, differs in pieces]))
    return answers


def _split_lines(spans: Sequence[tuple[str, str]]) -> list[Line]:
    """Split spans at their line breaks; a text of blanks only becomes a note."""
    rows: list[list[tuple[str, str]]] = [[]]
    for text, tone in spans:
        first, *rest = text.split("\n")
        rows[-1].append((first, tone))
        rows += [[(part, tone)] for part in rest]
    lines = [make_line(*row) for row in rows]
    return lines if any(to_plain_text(line).strip() for line in lines) else [make_line(("(identical or empty)", "dim"))]


def diff_words(ours: str, theirs: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Diff two texts word by word: the pieces of each text, with True for those that the other text lacks."""
    a, b = (re.findall(r"\w+|\s+|[^\w\s]", text) for text in (ours, theirs))
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    # autojunk would ignore frequent words, such as "the", in long texts.
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if i2 > i1:
            left.append(("".join(a[i1:i2]), tag != "equal"))
        if j2 > j1:
            right.append(("".join(b[j1:j2]), tag != "equal"))
    return left, right
