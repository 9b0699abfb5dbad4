"""Drop rows whose text is too short or too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator

from factory.api import Decision, RowsJob
from factory_curators.common import TextCurator, get_row_text

TOKENIZE_BATCH_ROWS = 4096


class LengthFilter(TextCurator):
    """Keeps rows whose text has at least `min` and at most `max` characters, words or tokens of the base model."""

    kind = "length"
    share_metric = "wrong_length"

    unit: Literal["characters", "words", "tokens"] = Field("words", description="unit of the limits")
    min: int = Field(1, ge=0, description="minimum length")
    max: int = Field(0, ge=0, description="maximum length; 0 for no limit")

    @model_validator(mode="after")
    def _check_limit_order(self) -> LengthFilter:
        if self.max and self.max < self.min:
            raise ValueError(f"max ({self.max}) is less than min ({self.min}); no row would stay")
        return self

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for start in range(0, len(job.rows), TOKENIZE_BATCH_ROWS):
            rows = job.rows[start : start + TOKENIZE_BATCH_ROWS]
            texts = [get_row_text(row, job, self.text_columns) for row in rows]
            for row, count in zip(rows, self._count_text_units(texts, job), strict=True):
                why = f"{self.unit}: fewer than {self.min}" if count < self.min else ""
                why = f"{self.unit}: more than {self.max}" if self.max and count > self.max else why
                yield Decision(row.id, not why, why)

    def _count_text_units(self, texts: Sequence[str], job: RowsJob) -> list[int]:
        if self.unit == "characters":
            return [len(text.strip()) for text in texts]
        if self.unit == "words":
            return [len(text.split()) for text in texts]
        if job.base is None:
            raise ValueError("unit `tokens` needs a base model; use `characters` or `words`")
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(job.base.folder)
        return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
