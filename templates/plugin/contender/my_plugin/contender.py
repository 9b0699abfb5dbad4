"""Another rival: what a fine-tune must beat to be worth having."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class MyPlugin(Contender):
    """Lets the words of a text vote: each has one voice a label for every training row in which both stand."""

    kind = "my-plugin"
    contract = 1
    columns = ("text", "label")
    output_type = "labels"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        labels = job.task.list_choices(job.train)
        voices: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in job.train:
            for word in set(str(row["text"]).lower().split()):
                voices[word][str(row["label"])] += 1
        for row in job.rows:
            votes: Counter[str] = Counter(labels)  # one voice each, so that none has probability 0
            for word in set(str(row["text"]).lower().split()):
                votes.update(voices.get(word, {}))
            total = sum(votes[label] for label in labels)
            yield Answer(row.id, {label: votes[label] / total for label in labels})
