"""A contender: a simple baseline that a fine-tuned model must beat."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class MyPlugin(Contender):
    """Predicts by a vote of words: a word votes for a label once for every training row that has both."""

    kind = "my-plugin"
    contract = 2
    columns = ("text", "label")
    output_type = "labels"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        labels = job.task.list_choices(job.train)
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in job.train:
            for word in set(str(row["text"]).lower().split()):
                counts[word][str(row["label"])] += 1
        for row in job.rows:
            votes: Counter[str] = Counter(labels)  # add-one smoothing: no label has probability 0
            for word in set(str(row["text"]).lower().split()):
                votes.update(counts.get(word, {}))
            total = sum(votes[label] for label in labels)
            yield Answer(row.id, {label: votes[label] / total for label in labels})
