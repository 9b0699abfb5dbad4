"""Whether a generated answer is an answer at all: not blank, no loop, no copy of the prompt."""

from __future__ import annotations

from factory.api import ScoreJob, is_blank, normalise

WINDOW = 8
"""Length in characters of the windows that show a loop."""
MIN_LOOP_CHARACTERS = 80
"""Characters below which repetition is no loop: a list or a rhyme repeats itself too."""
MIN_DISTINCT_SHARE = 0.5
"""Share of distinct windows below which a text is a loop; prose has above 0.9, a list of like lines above 0.6."""


def is_sound(text: str, prompt: str) -> bool:
    """Return whether a text answers a prompt at all; whether it answers it well is another question."""
    return not (is_blank(text) or is_loop(text) or normalise(text) == normalise(prompt))


def is_loop(text: str) -> bool:
    """Return whether a text says the same again and again."""
    if len(text) < MIN_LOOP_CHARACTERS:
        return False
    windows = [text[start : start + WINDOW] for start in range(len(text) - WINDOW + 1)]
    return len(set(windows)) < MIN_DISTINCT_SHARE * len(windows)


def list_sound_answers(job: ScoreJob) -> list[float]:
    """Return 1.0 for each row whose answer is sound, else 0.0. Raises ValueError for a row without an answer."""
    missing = next((row.id for row in job.rows if row.id not in job.answers), None)
    if missing is not None:
        raise ValueError(f"row {missing!r} has no answer")
    return [float(is_sound(str(job.answers[row.id].output), str(row["prompt"]))) for row in job.rows]
