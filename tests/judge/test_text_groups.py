"""Rows that share a text are one group: for the split, for the scores and for the gate."""

from collections.abc import Iterator
from pathlib import Path

from tiny_parts import Voice

from factory.api import Eval, Metric, Provenance, Row, ScoreJob, Scores
from factory.data.rows import read_json, read_jsonl, write_json, write_jsonl, write_rows
from factory.data.split import list_row_groups, split_rows
from factory.evaluation.gate import decide_verdict
from factory.registry.registry import Registry
from factory.spec.fields import Gate, Split
from factory.stages import score
from factory.stages.job import StageJob

TEXTS = ("no refund yet", "the card is lost", "where is my parcel", "cancel it", "change my address", "I am locked out")


class Right(Eval):
    kind = "right"
    metrics = (Metric("right", "whether it is right", binary=True),)
    primary_metric = "right"

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            yield Scores(row.id, {"right": float(job.answers[row.id].output)})


def copies(times: int = 5) -> list[Row]:
    """Each text several times, in other case and punctuation."""
    return [
        Row(f"r{i:02}", {"text": [text, f"{text.upper()}!"][i % 2]}, Provenance("here"))
        for i, text in enumerate(TEXTS * times)
    ]


def test_copies_are_the_groups_that_the_split_keeps_together() -> None:
    rows = copies()
    groups = list_row_groups(rows, "text")
    assert groups == [f"r{i % 6:02}" for i in range(30)]
    parts = split_rows(rows, Split(test=10, validation=5), "text")
    places = {part: {groups[i] for i in indices} for part, indices in parts.items()}
    assert sum(map(len, places.values())) == 6
    alone = Row("alone", {"text": "none is like it"}, Provenance("here"))
    own = Row("own", {"text": TEXTS[0]}, Provenance("here"), "family")
    assert list_row_groups([*rows, alone, own], "text")[-2:] == ["", "family"]
    assert set(list_row_groups(rows)) == {""}


def test_six_texts_five_times_each_are_six_groups_in_score_and_gate(tmp_path: Path) -> None:
    rows = copies()
    for name in ("freeze", "curate", "gather", "answer[tuned]", "answer[majority]"):
        (tmp_path / name).mkdir()
    (tmp_path / "out").mkdir()
    for place in ("freeze/test.jsonl", "freeze/validation.jsonl", "curate/train.jsonl"):
        write_rows(tmp_path / place, rows if place == "freeze/test.jsonl" else [])
    right = {"tuned": {0, 1, 2, 3}, "majority": {0}}
    for name, texts in right.items():
        answers = [{"id": row.id, "output": float(i % 6 in texts)} for i, row in enumerate(rows)]
        write_jsonl(tmp_path / f"answer[{name}]" / "answers.jsonl", answers)
        write_json(tmp_path / f"answer[{name}]" / "answer.json", {"facts": {}})
    write_json(tmp_path / "gather" / "gather.json", {"sources": []})
    inputs = {name: tmp_path / name for name in ("freeze", "curate", "gather", "answer[tuned]", "answer[majority]")}
    voice = Voice()
    score.run(StageJob(
        "score", {"evals": [{"kind": "right"}], "text": "text", "seed": 7}, inputs, tmp_path / "out", *[tmp_path] * 3,
        voice, Registry.from_classes([Right])
    ))
    assert voice.notes == ["30 test rows share their text with others: for the statistics, each text is one group"]
    scored = {name: list(read_jsonl(tmp_path / "out" / f"{name}.jsonl")) for name in right}
    assert {row["group"] for row in scored["tuned"]} == {f"r{i:02}" for i in range(6)}
    interval = read_json(tmp_path / "out" / "score.json")["contenders"]["tuned"]["right"]
    assert interval["low"] < 0.25 and interval["high"] > 0.95  # thirty rows would say 0.488 to 0.808
    found = decide_verdict(scored, Right.metrics[0], Gate())
    # Tuned gets three texts more right: of thirty rows this was a SHIP, of six texts it is nothing.
    (only,) = found["comparisons"]
    assert (found["verdict"], only["n"], only["groups"]) == ("INSUFFICIENT_EVIDENCE", 30, 6)
    assert only["low"] < 0 < only["high"] and "n = 30 in 6 groups)" in found["reasons"][0]
    lonely = [{**row, "group": ""} for row in scored["tuned"]]
    assert decide_verdict({**scored, "tuned": lonely}, Right.metrics[0], Gate())["verdict"] == "SHIP"
