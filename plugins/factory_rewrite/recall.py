"""What a rewrite is for: whether a search by its words finds the passage that answers the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version

from pydantic import Field

from factory.api import Eval, Metric, Row, ScoreJob, Scores
from factory_rewrite.rewrite_metrics import get_rewrite

WORD_PATTERN = r"(?u)\b\w+\b"


class Recall(Eval):
    """Recall of BM25 over the passages, with the rewrite, with the bare question, and with a person's rewrite.

    The right passage counts as found when it is among the first `depth` that share a word with the query. The last
    two numbers are the same for every contender: what searching gets without a rewriter, and what a perfect one gives.
    """

    kind = "recall"
    columns = ("question", "rewrite", "relevant")
    output_type = "text"
    primary_metric = "recall"
    metrics = (
        Metric("recall", "share of the right passages among the first, searching with the rewrite"),
        Metric("recall_without", "the same with the question as it was asked: the same for every contender"),
        Metric("recall_gold", "the same with the reference rewrite: the same for every contender"),
    )

    depth: int = Field(3, ge=1, description="how many passages of a search count")
    table: str = Field("passages", description="the side table that is searched: all text of its columns")

    def compute_fingerprint(self) -> str:
        """The version of bm25s, whose tokens and scores the search rests on."""
        return version("bm25s")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        entries = job.tables.get(self.table)
        if not entries:
            raise ValueError(f"no table {self.table!r} to search; there are: {', '.join(sorted(job.tables)) or 'none'}")
        search = PassageSearch(entries, self.depth)
        for row in job.rows:
            right: Mapping[str, float] = row["relevant"]
            if not right:
                raise ValueError(f"row {row.id!r} has no relevant passage; leave this eval or this row out")
            queries = {"recall": get_rewrite(job, row), "recall_without": row["question"], "recall_gold": row["rewrite"]}
            yield Scores(row.id, {name: search.compute_passage_recall(query, right) for name, query in queries.items()})


class PassageSearch:
    """BM25 (Lucene's variant, k1 1.5, b 0.75, English stop words) over passages, of which the first `depth` count."""

    def __init__(self, passages: Mapping[str, Row], depth: int) -> None:
        import bm25s

        self._names = list(passages)
        self._depth = depth
        self._index = bm25s.BM25(k1=1.5, b=0.75)
        texts = [" ".join(v for v in row.columns.values() if isinstance(v, str)) for row in passages.values()]
        tokens = _tokenize_passages(texts)
        if not any(tokens):
            raise ValueError("the passages hold no words to search for")
        self._index.index(tokens, show_progress=False)

    def find_top_passages(self, query: str) -> list[str]:
        """The best passages that share a word with the query, the best first; of equals the one that stands first."""
        words = _tokenize_passages([query])[0]
        if not words:
            return []
        scores = self._index.get_scores(words)
        order = sorted((place for place in range(len(scores)) if scores[place] > 0), key=lambda i: (-scores[i], i))
        return [self._names[place] for place in order[: self._depth]]

    def compute_passage_recall(self, query: str, right: Mapping[str, float]) -> float:
        """The share of the right passages that are among the first."""
        return sum(name in right for name in self.find_top_passages(query)) / min(len(right), self._depth)


def _tokenize_passages(texts: Sequence[str]) -> list[list[str]]:
    import bm25s

    return bm25s.tokenize(  # type: ignore[no-any-return]
        list(texts), token_pattern=WORD_PATTERN, stopwords="en", return_ids=False, show_progress=False
    )
