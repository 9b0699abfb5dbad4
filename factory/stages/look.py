"""Count the looks at the test rows, before their scores are seen: tuned's answers are entered in the ledger.

Like a base that a hub resolves, the number is asked for once, and the output keeps it: all later stages are functions
of it, and their keys are those of a plan that knows no ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from factory import identity
from factory.api import TEST, Row
from factory.data.rows import read_json, write_json
from factory.stages.job import StageJob
from factory.stages.seed_answers import find_seed_answers
from factory.store.looks import SAMPLE_SIZE, Look, record_look
from factory.text.normalise import normalise_words

DIGEST_LENGTH = 16
"""Hexadecimal digits of a row's digest."""


def run(job: StageJob) -> None:
    """Write `look.json`: the number of this look, and the digest of the test rows."""
    test = read_json(job.inputs["freeze"] / "freeze.json")["digests"][TEST]
    tuned = find_seed_answers(job).values() or [job.inputs[f"answer[{job.config['tuned']}]"]]
    digests = [identity.digest_file(folder / "answers.jsonl") for folder in tuned]
    rows = job.open_input_rows("freeze", f"{TEST}.jsonl")
    number = record_look(job.home, Look(
        test=test, sample=sample_row_digests(rows, job.config["text"]),
        # Seeds that are averaged are one look: nothing is chosen among them by the test rows.
        answers=digests[0] if len(digests) == 1 else identity.compute_key(digests),
        train=job.config["train"], spec=job.config["name"],
    ))
    write_json(job.out / "look.json", {"number": number, "test": test})


def sample_row_digests(rows: Iterable[Row], text: str) -> tuple[str, ...]:
    """Return the smallest digests of rows, by their normalised `text` column; of rows without one, by all columns."""

    def iterate_digests() -> Iterator[str]:
        for row in rows:
            value = row.columns.get(text)
            content = (normalise_words(value) or value) if isinstance(value, str) else dict(row.columns)
            yield identity.compute_key(["test row", content])[:DIGEST_LENGTH]

    return tuple(sorted(set(iterate_digests()))[:SAMPLE_SIZE])
