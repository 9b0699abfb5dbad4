"""Where decisions are written: below the spec's folder, and to a file that holds nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from toy_project import SPEC, resolved

from factory.data.review_decisions import ReviewDecision, append_decisions, read_decisions
from factory.errors import InputError, SpecError

DECISION = ReviewDecision("k", "ana", "accept", id="$(touch owned)", at=1.0)


def test_a_spec_can_not_have_decisions_written_elsewhere(toy: Path, tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("alias ll='ls -l'\n")
    (toy / "linked.jsonl").symlink_to(tmp_path / ".bashrc")
    (toy / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(toy / "pipe.jsonl")
    expected = {
        "../.bashrc": "outside of the spec's folder", str(tmp_path / "new.jsonl"): "outside of the spec's folder",
        "linked.jsonl": "outside of the spec's folder", "elsewhere/new.jsonl": "outside of the spec's folder",
        "base/../..": "outside of the spec's folder", ".": "outside of the spec's folder", "pipe.jsonl": "a pipe",
        ".envrc": "visible .jsonl", ".git/new.jsonl": "visible .jsonl", "Makefile": "visible .jsonl",
    }
    for name, problem in expected.items():
        (toy / "toy.yaml").write_text(f"{SPEC}  review: {{file: '{name}'}}\n")
        with pytest.raises(SpecError, match=problem) as refused:
            resolved(toy)
        assert "data.review.file" in str(refused.value), name
    for name in ("review.jsonl", "reviews/one.jsonl"):
        (toy / "toy.yaml").write_text(f"{SPEC}  review: {{file: '{name}'}}\n")
        assert resolved(toy)[0].spec.data.review is not None


def test_decisions_are_not_appended_to_anything_else(tmp_path: Path) -> None:
    for content in ("alias ll='ls -l'\n", '{"text": "a row", "label": "x"}\n', "[1]\n", "\n\nexport A=1\n"):
        file = tmp_path / "file.jsonl"
        file.write_text(content)
        with pytest.raises(InputError, match=r"file\.jsonl:\d: not a decision, so nothing is written here"):
            append_decisions(file, [DECISION])
        assert file.read_text() == content
    whole = tmp_path / "review.jsonl"
    append_decisions(whole, [DECISION])
    with whole.open("ab") as file_:
        file_.write(b'{"at":2.0,"row":"k')  # what a kill leaves
    append_decisions(whole, [DECISION])
    assert len(read_decisions(whole).decisions) == 2 and read_decisions(whole).torn_lines == 1
