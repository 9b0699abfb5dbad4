"""Synthesizers in a spec: what is said before a build, and a whole build with a teacher behind a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
import yaml
from loopback import Play, serving
from places import ROOT
from synth_parts import lines
from toy_project import resolved

from factory.data.rows import read_rows
from factory.errors import SpecError
from factory.events import Noted, StageFinished
from factory.registry.registry import load_installed_registry

LABEL = {"kind": "label", "texts": {"file": "raw.jsonl"}, "votes": 2}
PARAPHRASE = {"kind": "paraphrase", "count": 5, "min_jaccard": 0.0, "max_jaccard": 1.0}


def spec(folder: Path, url: str, *blocks: dict[str, Any]) -> Path:
    """The toy's spec with a teacher and these synthesizers."""
    teacher = {"model": "big", "base_url": url, "concurrency": 4}
    text = (folder / "toy.yaml").read_text().replace("data:\n", f"data:\n  synthesize: {json.dumps(list(blocks))}\n")
    (folder / "toy.yaml").write_text(text.replace("./base\n", f"./base\n  teacher: {json.dumps(teacher)}\n"))
    return folder / "toy.yaml"


def say(body: dict[str, Any]) -> str:
    """A label by the animal that is named, or the text's words the other way round."""
    asked = body["messages"][-1]["content"]
    words = asked.split("\n")[0].removeprefix("Text: ").split()
    if asked.endswith("Class:"):
        return next(label for label in ("cat", "dog", "owl") if any(label in word for word in words))
    return " ".join(reversed(words))


def unlabelled(folder: Path) -> None:
    lines(folder / "raw.jsonl", *({"text": f"cat{n} cat{n + 1} dog3 fresh{n}"} for n in range(8)))


def rows(home: Path, stage: str, part: str) -> list[Any]:
    """The rows that a stage of the newest run left."""
    finished = [event for event in builds.events(home) if isinstance(event, StageFinished) and event.stage == stage]
    return list(read_rows(home / "store" / stage / finished[0].key / "output" / f"{part}.jsonl"))


def test_a_build_labels_and_rewords_and_pays_once_though_it_is_interrupted(toy: Path, tmp_path: Path) -> None:
    unlabelled(toy)
    home = tmp_path / "home"
    with serving(*[Play(say)] * 9, *[Play(status=401)] * 12, otherwise=Play(say)) as server:
        path = spec(toy, server.url, LABEL, PARAPHRASE)
        assert builds.build(path, home)[0] == 69 and len(server.served) > 0
        server.script.clear()
        code, said = builds.build(path, home, "--force", "freeze")
        assert code == 0, said
    paid = [json.dumps(asked.body, sort_keys=True) for asked in server.asked if asked.status == 200]
    assert len(paid) == len(set(paid)) == 8 * 2 + 5
    made = [row for row in rows(home, "synthesize", "train") if row.provenance.generator]
    assert [row.provenance.generator for row in made] == ["label"] * 8 + ["paraphrase"] * 5
    assert all(row["label"] == "cat" and row.provenance.detail["votes"] == {"cat": 2} for row in made[:8])
    assert not any("fresh" in row["text"] for part in ("test", "validation") for row in rows(home, "freeze", part))
    notes = [event.text for event in builds.events(home) if isinstance(event, Noted)]
    assert "labels generated: 8" in notes and "paraphrases of 5 rows generated: 5 of 5" in notes


@pytest.mark.parametrize(("block", "told"), [
    ({"kind": "paraphrase", "column": "body"}, "'paraphrase' needs the column body; its rows have text, label"),
    ({"kind": "label", "column": "class", "texts": {"file": "rows.jsonl"}}, "'label' needs the column class"),
    ({"kind": "corrupt-claims"}, "'corrupt-claims' needs the columns claim, evidence"),
    ({"kind": "self-instruct", "count": 3}, "'self-instruct' needs the columns instruction, input, output"),
    ({"kind": "backtranslate-style"}, "'backtranslate-style' needs the column answer"),
    ({"kind": "questions-from-documents", "table": "", "relevant": "", "answer": "label", "passage": "page"},
     "'questions-from-documents' needs the column page"),
    ({"kind": "label", "texts": {"file": "none.jsonl"}}, "no such file or folder: 'none.jsonl'"),
    ({"kind": "tool-calls", "count": 3, "tools": "none.json"}, "no such file or folder: 'none.json'"),
    ({"kind": "paraphrase", "min_cosine": 0.5}, "needs the model 'embedder'"),
    ({"kind": "from-description", "description": "x", "count": 3, "writes": {"text": "x"}, "keep": ["y"]}, "keep: 'y' "
    "is not an attribute"),
])
def test_what_a_synthesizer_needs_is_said_before_a_build(block: dict[str, Any], told: str, toy: Path) -> None:
    spec(toy, "http://localhost:1/v1", block)
    with pytest.raises(SpecError) as caught:
        resolved(toy)
    assert told in str(caught.value)


def test_the_blocks_of_the_guide_are_blocks() -> None:
    guide = (ROOT / "plugins" / "README.md").read_text().partition("## Synthesizers")[2]
    for block in yaml.safe_load(guide.split("```yaml\n")[1].split("```")[0]):
        assert load_installed_registry().make_plugin("synthesizer", block).kind == block["kind"]
    for kind in load_installed_registry().list_classes("synthesizer"):
        assert f"`{kind.kind}`" in guide or kind.__module__.partition(".")[0] != "factory_synth"


def test_texts_enter_the_key_by_content(toy: Path) -> None:
    from factory.plan.compiler import compile_plan as planned

    unlabelled(toy)
    spec(toy, "http://localhost:1/v1", LABEL)
    before = planned(resolved(toy)[0])
    lines(toy / "raw.jsonl", {"text": "cat1 cat2 another"})
    after = planned(resolved(toy)[0])
    assert before["synthesize"].key != after["synthesize"].key and before["freeze"].key == after["freeze"].key


def test_a_prompt_that_is_worded_anew_is_another_key(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from factory.plan.compiler import compile_plan as planned
    from factory_synth.paraphrase import Paraphrase

    spec(toy, "http://localhost:1/v1", PARAPHRASE)
    before = planned(resolved(toy)[0])["synthesize"].key
    assert planned(resolved(toy)[0])["synthesize"].key == before
    monkeypatch.setattr(Paraphrase, "prompts", ("Say it otherwise.",))
    assert planned(resolved(toy)[0])["synthesize"].key != before
