"""Metrics of a brand voice: voice, meaning and figures kept, and their harmonic mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field, model_validator

from factory.api import Eval, Metric, ScoreJob, Scores
from factory_evals.embedding_similarity import compute_text_cosines
from factory_voice.style_classifier import StyleClassifier
from factory_voice.text_tokens import collect_word_ngrams, count_figures, split_folded_words

COPY_RUN_WORDS = 8
"""Length in words from which a shared run counts as copied; greetings and farewells are shorter."""


class VoiceMetrics(Eval):
    """Whether an answer sounds like the brand and keeps the meaning of the neutral answer.

    `on_brand` is the harmonic mean of `voice` and of the meaning kept: the cosine `meaning`, scaled so that
    `unrelated_cosine` is 0 and `same_cosine` is 1, times `figures`. Neither a canned phrase (no meaning) nor the
    neutral answer (no voice) wins; figures count separately, since embeddings hardly notice a changed number. The
    cosine is scaled because a good rewording stays below 1 and an unrelated answer of the same trade above 0: with
    MiniLM on the Gannet & Pine rows, 0.35 is the 95th percentile between answers to different questions, and 0.8 about
    the median between an answer and its neutral one. The references do not reach 1; the total `reference` is theirs.

    Voice is averaged over as many words as the reference has, the least voiced ones. Over all words, the neutral answer
    between six greetings and farewells would win: on validation rows of Gannet & Pine 0.78, where the references have
    0.76; so it has 0.48.

    The style classifier is fitted on training rows only; the total `style_auc` is its AUC on validation rows, and
    below about 0.9 its probabilities mean little. No judge model is used, so that scores are reproducible.
    """

    kind = "voice"
    version = 3
    columns = ("neutral", "answer")
    output_type = "text"
    primary_metric = "on_brand"
    metrics = (
        Metric("on_brand", "harmonic mean of voice and of meaning times figures, 0 to 1"),
        Metric("voice", "probability of the brand's voice by the style classifier, over the reference's length"),
        Metric("meaning", "cosine of the embeddings of the answer and the neutral answer"),
        Metric("figures", "Jaccard similarity of the numbers in the answer and the neutral answer, with repeats"),
        Metric("copied", f"share of {COPY_RUN_WORDS}-word runs copied from training answers", higher_is_better=False),
        Metric("length_off", "deviation from the reference's number of words, as a share", higher_is_better=False),
    )

    unrelated_cosine: float = Field(0.35, ge=-1, le=1, description="cosine up to which no meaning is kept")
    same_cosine: float = Field(0.8, ge=-1, le=1, description="cosine from which all meaning is kept")

    @model_validator(mode="after")
    def _validate_cosine_range(self) -> VoiceMetrics:
        low, high = self.unrelated_cosine, self.same_cosine
        if low >= high:
            raise ValueError(f"unrelated_cosine ({low:g}) must be below same_cosine ({high:g})")
        return self

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",)

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        yield from self._score_texts(job, _collect_answer_texts(job))

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """Return the length ratio to the references, their own `on_brand`, and the classifier's AUC."""
        references = [str(row["answer"]) for row in job.rows]
        on_brand = [scores.values["on_brand"] for scores in self._score_texts(job, references)]
        length = sum(len(split_folded_words(text)) for text in _collect_answer_texts(job))
        totals = {}
        if reference_length := sum(len(split_folded_words(text)) for text in references):
            totals = {"length_ratio": length / reference_length, "reference": sum(on_brand) / len(on_brand)}
        if job.validation:
            totals["style_auc"] = StyleClassifier(job.train).compute_style_auc(job.validation)
        return totals

    def _score_texts(self, job: ScoreJob, texts: Sequence[str]) -> Iterator[Scores]:
        """Yield the scores of one text per row."""
        lengths = [len(str(row["answer"]).split()) for row in job.rows]
        voices = StyleClassifier(job.train).predict_voice(texts, lengths)
        answers = (split_folded_words(row["answer"]) for row in job.train)
        known = {run for words in answers for run in collect_word_ngrams(words, COPY_RUN_WORDS)}
        cosines = compute_text_cosines(job, texts, [str(row["neutral"]) for row in job.rows])
        for row, text, voice, meaning in zip(job.rows, texts, voices, cosines, strict=True):
            figures = compute_figure_agreement(count_figures(text), count_figures(row["neutral"]))
            yield Scores(row.id, {
                "on_brand": self.compute_on_brand(voice, meaning, figures), "voice": voice, "meaning": meaning,
                "figures": figures, "copied": compute_copied_share(text, known),
                "length_off": compute_length_error(text, row["answer"]),
            })

    def compute_on_brand(self, voice: float, meaning: float, figures: float) -> float:
        """Compute the harmonic mean of the voice and of the content: the scaled meaning times the figures kept."""
        span = (meaning - self.unrelated_cosine) / (self.same_cosine - self.unrelated_cosine)
        content = min(max(span, 0.0), 1.0) * figures
        return 2 * voice * content / (voice + content) if voice + content else 0.0


def _collect_answer_texts(job: ScoreJob) -> list[str]:
    missing = next((row.id for row in job.rows if row.id not in job.answers), None)
    if missing is not None:
        raise ValueError(f"row {missing!r} has no answer")
    return [str(job.answers[row.id].output) for row in job.rows]


def compute_figure_agreement(figures: Counter[str], other: Counter[str]) -> float:
    """Compute the Jaccard similarity of two multisets of figures; 1 if both are empty."""
    every = (figures | other).total()
    return (figures & other).total() / every if every else 1.0


def compute_copied_share(text: str, known: set[tuple[str, ...]]) -> float:
    """Compute the share of a text's word runs that are known; 0 for a text shorter than a run."""
    own = collect_word_ngrams(split_folded_words(text), COPY_RUN_WORDS)
    return len(own & known) / len(own) if own else 0.0


def compute_length_error(text: str, reference: str) -> float:
    """Compute the deviation from the reference's number of words, as a share of it."""
    expected = len(split_folded_words(reference))
    return abs(len(split_folded_words(text)) - expected) / expected if expected else 0.0
