"""The eval of a brand's voice: voice and meaning, and one number that neither wins alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field, model_validator

from factory.api import Eval, Metric, ScoreJob, Scores
from factory_voice.style_classifier import StyleClassifier
from factory_voice.text_tokens import collect_word_ngrams, extract_written_figures, split_folded_words

COPY_RUN_WORDS = 8
"""Words in a row from which on it is copying: no greeting or farewell is that long."""


class VoiceMetrics(Eval):
    """Whether an answer sounds like the brand and still says what was to be said.

    `on_brand` is the harmonic mean of `voice` and of what was kept: the cosine of `meaning`, `unrelated` counting as
    0 and `same` as 1, times `figures`. A canned phrase in the voice keeps nothing and the plain answer has next to
    no voice, so neither wins; embeddings hardly see a changed number, so figures count by themselves. The cosine has
    a range of its own because a good rewording stays below 1 and another answer of the same trade above 0: of
    MiniLM's cosines on the Gannet & Pine rows, 0.35 is the 95th percentile between answers to different questions,
    and 0.8 about the median between an answer and its own plain one. The references themselves do not reach 1;
    what they get is the total `reference`.

    The style classifier is fitted on the training rows alone; how well it tells voice from plain on validation rows
    is the total `style_auc`, and below about 0.9 its probabilities mean little. No judge model takes part: a score
    has to be the same when it is measured again.
    """

    kind = "voice"
    columns = ("neutral", "answer")
    output_type = "text"
    primary_metric = "on_brand"
    metrics = (
        Metric("on_brand", "harmonic mean of voice and of the meaning and figures kept, 0 to 1"),
        Metric("voice", "probability of the style classifier that this is the brand"),
        Metric("meaning", "cosine of the embeddings of what was said and of the plain answer"),
        Metric("figures", "numbers in both what was said and the plain answer, as a share of those in either"),
        Metric("copied", f"share of its runs of {COPY_RUN_WORDS} words that stand in a training answer", higher_is_better=False),
        Metric("length_off", "words too many or too few, as a share of the reference's", higher_is_better=False),
    )

    unrelated: float = Field(0.35, ge=-1, le=1, description="cosine at and below which nothing of the meaning is kept")
    same: float = Field(0.8, ge=-1, le=1, description="cosine at and above which all of it is")

    @model_validator(mode="after")
    def _validate_cosine_range(self) -> VoiceMetrics:
        if self.unrelated >= self.same:
            raise ValueError(f"unrelated ({self.unrelated:g}) has to be below same ({self.same:g})")
        return self

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",)

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        yield from self._score_texts(job, _collect_answer_texts(job))

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """Words said as a share of the references', the references' own `on_brand`, and the classifier's AUC."""
        references = [str(row["answer"]) for row in job.rows]
        best = [scores.values["on_brand"] for scores in self._score_texts(job, references)]
        spoken, wanted = (sum(len(split_folded_words(text)) for text in texts) for texts in (_collect_answer_texts(job), references))
        found = {"length_ratio": spoken / wanted, "reference": sum(best) / len(best)} if wanted else {}
        return {**found, "style_auc": StyleClassifier(job.train).compute_style_auc(job.validation)} if job.validation else found

    def _score_texts(self, job: ScoreJob, said: Sequence[str]) -> Iterator[Scores]:
        """The metrics of one text for each row."""
        voices = StyleClassifier(job.train).predict_voice(said)
        known = {run for row in job.train for run in collect_word_ngrams(split_folded_words(row["answer"]), COPY_RUN_WORDS)}
        for row, text, voice, meaning in zip(job.rows, said, voices, _compute_meaning_cosines(job, said), strict=True):
            kept = compute_figure_agreement(extract_written_figures(text), extract_written_figures(row["neutral"]))
            yield Scores(row.id, {
                "on_brand": self.compute_on_brand(voice, meaning, kept), "voice": voice, "meaning": meaning, "figures": kept,
                "copied": compute_copied_share(text, known), "length_off": compute_length_error(text, row["answer"]),
            })

    def compute_on_brand(self, voice: float, meaning: float, kept: float) -> float:
        """The harmonic mean of the voice and of the meaning, on its own range, times the figures kept."""
        span = (meaning - self.unrelated) / (self.same - self.unrelated)
        whole = min(max(span, 0.0), 1.0) * kept
        return 2 * voice * whole / (voice + whole) if voice + whole else 0.0


def _collect_answer_texts(job: ScoreJob) -> list[str]:
    lacking = next((row.id for row in job.rows if row.id not in job.answers), None)
    if lacking is not None:
        raise ValueError(f"row {lacking!r} has no answer")
    return [str(job.answers[row.id].output) for row in job.rows]


def _compute_meaning_cosines(job: ScoreJob, said: Sequence[str]) -> list[float]:
    """The cosine of each text and its row's plain answer; 0 for a blank one."""
    plain = [str(row["neutral"]) for row in job.rows]
    vectors = job.kit.embed(job.models["embedder"], [*said, *plain], report=job.report)
    cosines = (vectors[: len(said)] * vectors[len(said) :]).sum(axis=1).tolist()
    return [cosine if text.strip() else 0.0 for text, cosine in zip(said, cosines, strict=True)]


def compute_figure_agreement(one: frozenset[str], other: frozenset[str]) -> float:
    """What both have as a share of what either has; 1 when neither has any."""
    return len(one & other) / len(one | other) if one | other else 1.0


def compute_copied_share(text: str, known: set[tuple[str, ...]]) -> float:
    """The share of a text's runs of words that are known; 0 for a text shorter than a run."""
    own = collect_word_ngrams(split_folded_words(text), COPY_RUN_WORDS)
    return len(own & known) / len(own) if own else 0.0


def compute_length_error(text: str, reference: str) -> float:
    """How many words a text has too many or too few, as a share of its reference's."""
    wanted = len(split_folded_words(reference))
    return abs(len(split_folded_words(text)) - wanted) / wanted if wanted else 0.0
