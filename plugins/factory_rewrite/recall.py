"""Retrieval recall of rewrites: whether a BM25 search with the rewrite finds the passage that answers the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version

from pydantic import Field

from factory.api import Eval, Metric, Row, ScoreJob, Scores
from factory_evals.text_answers import compose_text, get_text_answer

WORD_PATTERN = r"(?u)\b\w+\b"


class Recall(Eval):
    """Recall@`depth` of BM25 over the passages, searching with the rewrite, the question, and the reference rewrite.

    It is the share of all relevant passages, as in trec_eval: a row with more of them than `depth` can not reach 1.
    Only passages that share a word with the query count. The last two values are the same for every contender: what
    search achieves without a rewriter, and with a perfect one.
    """

    kind = "recall"
    version = 2
    columns = ("question", "rewrite", "relevant")
    output_type = "text"
    primary_metric = "recall"
    metrics = (
        Metric("recall", "recall of the relevant passages among the first results, searching with the rewrite"),
        Metric("recall_without", "the same with the original question; equal for all contenders"),
        Metric("recall_gold", "the same with the reference rewrite; equal for all contenders"),
    )

    depth: int = Field(3, ge=1, description="number of first results that count")
    table: str = Field("passages", description="side table to search, by all its text columns")

    def compute_fingerprint(self) -> str:
        """Return the version of bm25s, on which tokens and scores depend."""
        return version("bm25s")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        entries = job.tables.get(self.table)
        if not entries:
            available = ", ".join(sorted(job.tables)) or "none"
            raise ValueError(f"table: no side table {self.table!r}; available: {available}")
        search = PassageSearch(entries, self.depth)
        for row in job.rows:
            relevant: Mapping[str, float] = row["relevant"]
            if not any(grade > 0 for grade in relevant.values()):
                raise ValueError(f"row {row.id!r} has no relevant passage; remove the row or this eval")
            yield Scores(row.id, {
                "recall": search.compute_passage_recall(get_text_answer(job, row), relevant),
                "recall_without": search.compute_passage_recall(row["question"], relevant),
                "recall_gold": search.compute_passage_recall(row["rewrite"], relevant),
            })


class PassageSearch:
    """BM25 index (Lucene's variant, k1 1.5, b 0.75, English stop words) that returns the first `depth` passages."""

    def __init__(self, passages: Mapping[str, Row], depth: int) -> None:
        import bm25s

        self._names, self._depth = list(passages), depth
        self._index = bm25s.BM25(k1=1.5, b=0.75)
        columns = (row.columns.values() for row in passages.values())
        tokens = _tokenize_passages([" ".join(v for v in values if isinstance(v, str)) for values in columns])
        if not any(tokens):
            raise ValueError("the passages contain no words to search for")
        self._index.index(tokens, show_progress=False)

    def find_top_passages(self, query: str) -> list[str]:
        """Return the best passages that share a word with the query, best first; ties keep the table's order."""
        words = _tokenize_passages([query])[0]
        if not words:
            return []
        scores = self._index.get_scores(words)
        order = sorted((i for i in range(len(scores)) if scores[i] > 0), key=lambda i: (-scores[i], i))
        return [self._names[i] for i in order[: self._depth]]

    def compute_passage_recall(self, query: str, relevant: Mapping[str, float]) -> float:
        """Compute the share of the relevant passages that are among the first results."""
        wanted = {name for name, grade in relevant.items() if grade > 0}
        return len(wanted.intersection(self.find_top_passages(query))) / len(wanted)


def _tokenize_passages(texts: Sequence[str]) -> list[list[str]]:
    import bm25s

    return bm25s.tokenize(  # type: ignore[no-any-return]
        [compose_text(text) for text in texts], token_pattern=WORD_PATTERN, stopwords="en", return_ids=False,
        show_progress=False,
    )
