"""Drop rows whose text is too short or too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator

from factory.api import Curator, Decision, RowsJob
from factory_curators.common import TEXT_COLUMNS_DESCRIPTION, get_row_text

TOKENIZE_BATCH_ROWS = 4096


class LengthFilter(Curator):
    """A row stays when its text has at least `least` and at most `most` characters, words or tokens of the base."""

    kind = "length"
    share_metric = "wrong_length"

    unit: Literal["characters", "words", "tokens"] = Field("words", description="what is counted")
    least: int = Field(1, ge=0, description="the fewest that a row may have")
    most: int = Field(0, ge=0, description="the most that a row may have; 0 for no limit")
    on: list[str] = Field([], description=TEXT_COLUMNS_DESCRIPTION)

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    @model_validator(mode="after")
    def _check_limit_order(self) -> LengthFilter:
        if self.most and self.most < self.least:
            raise ValueError(f"most is {self.most}, fewer than least, which is {self.least}: nothing would stay")
        return self

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for start in range(0, len(job.rows), TOKENIZE_BATCH_ROWS):
            rows = job.rows[start : start + TOKENIZE_BATCH_ROWS]
            texts = [get_row_text(row, job, self.on) for row in rows]
            for row, count in zip(rows, self._count_text_units(texts, job), strict=True):
                why = f"fewer than {self.least} {self.unit}" if count < self.least else ""
                why = f"more than {self.most} {self.unit}" if self.most and count > self.most else why
                yield Decision(row.id, not why, why)

    def _count_text_units(self, texts: Sequence[str], job: RowsJob) -> list[int]:
        if self.unit == "characters":
            return [len(text.strip()) for text in texts]
        if self.unit == "words":
            return [len(text.split()) for text in texts]
        if job.base is None:
            raise ValueError("tokens are those of the base model, and there is none here")
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(job.base.folder)
        return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
