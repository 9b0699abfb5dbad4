"""What runs asked of models, added up from the ledger of requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from factory.store.paths import LEDGER_FILE


@dataclass(slots=True)
class RequestTotals:
    """What one plugin, or stage, asked one model: requests that ended, their tokens, cost, and seconds of waiting."""

    by: str
    model: str
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


def sum_requests(home: Path, build: str, since: float, until: float) -> list[RequestTotals]:
    """Return what a build asked between two times (seconds since the epoch), in the order of the first requests."""
    totals: dict[tuple[str, str], RequestTotals] = {}
    sent: dict[str, tuple[str, str]] = {}
    file = home / LEDGER_FILE
    if not file.is_file():
        return []
    from factory.llm.ledger import SENT_STATUS, read_ledger  # late: most runs ask nobody, and llm is slow to import

    for line in read_ledger(file):
        if line.get("build") != build or not since <= line.get("at", 0.0) <= until:
            continue
        attempt = str(line.get("id", ""))
        if line.get("status") == SENT_STATUS:
            sent[attempt] = (str(line.get("by", "")), str(line.get("model", "")))
        elif attempt in sent:
            part = totals.setdefault(sent[attempt], RequestTotals(*sent[attempt]))
            part.requests += 1
            for name in ("tokens_in", "tokens_out", "cost", "seconds"):
                setattr(part, name, getattr(part, name) + line.get(name, 0))
    return list(totals.values())
