"""Who looked at a run's test rows, for eyes on this machine: names of users are in no output and no report."""

from __future__ import annotations

import time

from factory.runs.run_outputs import RunOutputs
from factory.store.looks import Look, find_shared_looks, read_looks
from factory.views.elements import Column, Table, Text, make_row

LOOK_COLUMNS = (
    Column("look", align_right=True, min_width=4),
    Column("specialist", min_width=10),
    Column("trained as", drop_rank=1, min_width=12),
    Column("by", drop_rank=2, min_width=4),
    Column("when", min_width=16),
)
KEY_DIGITS = 12


def build_looks_table(outputs: RunOutputs) -> Table:
    """Return every look at the test rows that a run was judged on, oldest first; the run's own is strong."""
    found, looks = outputs.read_stage_json("look"), read_looks(outputs.home)
    own = next((look for look in looks if look.test == found.get("test")), None)
    distinct: dict[str, Look] = {}
    for look in find_shared_looks(looks, own) if own else ():
        distinct.setdefault(look.answers, look)
    rows = [
        make_row(
            str(number), Text(str(number), "strong" if number == found.get("number") else ""), look.spec,
            Text(look.train[:KEY_DIGITS], "dim"), look.user, time.strftime("%Y-%m-%d %H:%M", time.localtime(look.at)),
            values=[number, look.spec, look.train, look.user, look.at],
        )
        for number, look in enumerate(distinct.values(), 1)
    ]
    return Table(LOOK_COLUMNS, tuple(rows), "nobody looked at the test rows")
