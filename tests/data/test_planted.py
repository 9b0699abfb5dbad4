"""Faults planted in a classifier's rows: curation finds each, says why, and leaves the good rows alone."""

import random
from collections import defaultdict
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from curator_parts import MeaningKit
from tiny_parts import Voice

from factory.api import Provenance, Row
from factory.data.rows import read_json, read_jsonl, read_rows, write_json, write_rows
from factory.registry.registry import Registry
from factory.stages import curate
from factory.stages.job import StageJob

ABOUT = {
    "card": ["blocked", "stolen", "expired"], "loan": ["rate", "early", "refused"], "pin": ["forgot", "wrong", "reset"],
}
CURATORS: list[Any] = [
    {"kind": "empty"}, {"kind": "truncated"}, {"kind": "pii"}, {"kind": "exact"}, {"kind": "near", "threshold": 0.85},
    {"kind": "conflicts"}, {"kind": "label-noise", "features": "embedder"},
]


def row(name: str, text: str, label: str = "card", **more: Any) -> Row:
    return Row(name, {"text": text, "label": label}, Provenance("bank.jsonl", 1, "CC0-1.0"), **more)


def good(count: int = 150, seed: int = 3) -> list[Row]:
    """Sentences that name what they are about, no two of them near."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        label = draw.choice(sorted(ABOUT))
        said = " ".join(f"{draw.choice('bdfgk')}{draw.randrange(10**5)}" for _ in range(4))
        made.append(row(f"good{number}", f"About {said} my {label} {draw.choice(ABOUT[label])}.", label))
    return made


def planted(rows: list[Row]) -> dict[str, list[Row]]:
    """What is done wrong, by the step that is to find it. The label-noise rows are good ones with another label."""
    flipped = [replace(each, id=f"flip{i}").with_columns(label="loan" if each["label"] != "loan" else "pin")
               for i, each in enumerate(rows[:7])]
    return {
        "empty": [row("blank", "  "), row("none", "N/A")],
        "truncated": [row("cut", "Somebody told me yesterday that the"), row("open", "Where did you put my pin,")],
        "exact": [row("copy", rows[20]["text"].upper(), rows[20]["label"])],
        "near": [row("twin", f"{rows[21]['text'][:-1]}s.", rows[21]["label"])],
        "conflicts": [row("yes", "Is a frozen account closed?"), row("no", "is a frozen account closed!", "pin")],
        "label-noise": flipped,
        "leakage": [row("verbatim", "WHERE IS MY NEW CARD!"), row("edited", "Where is my new card, please?"),
                    row("reworded", "terminate my membership today.")],
    }


@pytest.fixture
def curated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, list[Row]]]:
    """The stage's output over good rows and planted ones, and what was planted."""
    for module in ("factory.stages.job", "factory.stages.curate"):
        monkeypatch.setattr(f"{module}.load_toolbox", lambda *_: MeaningKit())
    rows = good()
    faults = planted(rows)
    private = row("private", "Mail ann@b.org about my card stolen on 4111 1111 1111 1111.")
    frozen = [row("t1", "Where is my new card?", split="test"), row("t2", "cancel my plan today.", split="test")]
    write_rows(tmp_path / "synthesize" / "train.jsonl", [*rows[7:], *chain(*faults.values()), private])
    write_rows(tmp_path / "freeze" / "test.jsonl", frozen)
    write_rows(tmp_path / "freeze" / "validation.jsonl", [])
    for base in ("base", "base[embedder]"):
        write_json(tmp_path / base / "base.json", dict.fromkeys(("id", "revision", "digest", "licence"), "tiny"))
    inputs = {role: tmp_path / role for role in ("base", "base[embedder]", "freeze", "synthesize")}
    config = {"task": {"kind": "classifier"}, "curators": CURATORS, "text": "text", "seed": 7, "require": [],
              "measures": [], "leakage": {"jaccard": 0.7, "cosine": 0.95}}
    out = tmp_path / "curate"
    curate.run(StageJob("curate", config, inputs, out, tmp_path, tmp_path, tmp_path, Voice(), Registry.load()))
    return out, faults


def test_each_planted_fault_is_found_by_its_step(curated: tuple[Path, dict[str, list[Row]]]) -> None:
    out, faults = curated
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in read_jsonl(out / "dropped.jsonl"):
        found[line["step"]].add(line["row"]["id"])
    for step in ("empty", "truncated", "exact", "near", "conflicts", "leakage"):
        assert found[step] == {each.id for each in faults[step]}, step
    kept = {each.id: each for each in read_rows(out / "train.jsonl")}
    doubted = {name for name, each in kept.items() if each.provenance.detail.get("doubt")}
    right = doubted & {each.id for each in faults["label-noise"]}
    assert len(right) >= 0.6 * len(faults["label-noise"]) and len(right) >= 0.5 * len(doubted)
    assert kept["private"]["text"] == "Mail [MAIL] about my card stolen on [CARD]."


def test_a_dropped_row_names_its_twin_and_why(curated: tuple[Path, dict[str, list[Row]]]) -> None:
    lines = {line["row"]["id"]: (line["twin"], line["why"]) for line in read_jsonl(curated[0] / "dropped.jsonl")}
    assert lines["copy"] == ("good20", "same text") and lines["twin"][0] == "good21"
    assert lines["verbatim"] == ("t1", "same text as a frozen row")
    assert lines["edited"][0] == "t1" and lines["edited"][1].startswith("text similarity 0.")
    assert lines["reworded"] == ("t2", "cosine similarity 1.00 to a frozen row")


def test_the_funnel_the_proof_and_the_rows_say_the_same(curated: tuple[Path, dict[str, list[Row]]]) -> None:
    out, _ = curated
    facts, kept = read_json(out / "curate.json"), list(read_rows(out / "train.jsonl"))
    steps = [step["step"] for step in facts["funnel"]]
    assert steps == [*(block["kind"] for block in CURATORS), "leakage"]
    assert facts["funnel"][2]["changed"] == 1 and facts["funnel"][-1]["out"] == len(kept)
    assert facts["leakage"]["dropped"] == {"group": 0, "exact": 1, "near": 1, "semantic": 1}
    assert (facts["leakage"]["semantic"], facts["leakage"]["near"], facts["leakage"]["repeats"]) == (0, 0, 0)
    assert all(each.provenance.detail["passed"] == steps for each in kept)
    assert facts["licences"] == {"CC0-1.0": len(kept)}
