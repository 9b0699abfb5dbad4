"""The deciding metric under degenerate answers: a table, and what to make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from factory.evaluation.attacks import AttackReport, AttackResult
from factory.views.elements import Column, ShareBar, Table, TableRow, Text, make_row
from factory.views.formatting import clean_line, format_count, format_number, format_percent

RIGHT_ANSWERS = "right answers"


def build_attacks_table(report: AttackReport) -> Table:
    """Return the right answers, then the attacks, the best first: the deciding metric, its share, the other metrics."""
    others = [name for name in report.right if name != report.metric]
    columns = (
        Column("answers", min_width=14), Column(report.metric, align_right=True, min_width=6),
        Column("", drop_rank=1, min_width=16, key="share"),
        *(Column(name, align_right=True, drop_rank=3, min_width=5) for name in others),
        Column("what they are", drop_rank=2, min_width=20, max_width=64),
    )
    right = AttackResult(RIGHT_ANSWERS, "what the rows say is right", report.right)
    ranked = [(attack, _choose_tone(report, attack)) for attack in report.rank_attacks()]
    rows = [_make_attack_row(report, attack, tone, others) for attack, tone in [(right, "strong"), *ranked]]
    return Table(columns, tuple(rows))


def describe_attacks(report: AttackReport) -> Iterator[Text]:
    """Yield a warning for every attack that the metric rewards; one sentence if there is none."""
    head = f"{report.metric} on {format_count(report.rows, 'row')} outside the test set"
    if not report.has_span:
        yield Text(f"{head} does not tell right answers from degenerate ones; use another metric.", "bad")
        return
    near = [attack for attack in report.rank_attacks() if report.is_near(attack)]
    winners = [attack for attack in report.rank_attacks() if report.wins_rows(attack) and attack not in near]
    for attack in near:
        yield Text(
            f"{head}: {attack.name} ({attack.what}) reaches {format_number(attack.means[report.metric])}, "
            f"{format_percent(round(report.compute_share(attack.means), 2))} of the way to the right answers "
            f"({format_number(report.right[report.metric])}). Let another metric decide, and such answers contend.",
            "warn",
        )
    for attack in winners:
        yield Text(
            f"{head}: {attack.name} ({attack.what}) is right on {format_count(attack.won, 'row')} without being "
            "the right answer. Leave such rows out, or choose a stricter metric.", "warn",
        )
    if not near and not winners:
        yield Text(f"{head}: no degenerate answer comes near the right ones.", "good")


def _choose_tone(report: AttackReport, attack: AttackResult) -> str:
    return "warn" if report.is_near(attack) or report.wins_rows(attack) else "dim" if attack.refused else ""


def _make_attack_row(report: AttackReport, attack: AttackResult, tone: str, others: list[str]) -> TableRow:
    means: Mapping[str, float] = attack.means
    share = report.compute_share(means) if means else 0.0
    bar = ShareBar(min(max(share, 0.0), 1.0), format_percent(round(share, 2)), tone) if means else Text("")
    what = f"refused: {clean_line(attack.refused)}" if attack.refused else attack.what
    return make_row(
        attack.name, Text(attack.name, tone), Text(format_number(means.get(report.metric)), tone), bar,
        *(Text(format_number(means.get(name))) for name in others), Text(what, "dim"),
        values=(attack.name, means.get(report.metric), share, *(means.get(name) for name in others), what),
    )
