"""Signs, words and tones of states, results and verdicts: no state is told by its colour alone."""

from __future__ import annotations

from collections.abc import Mapping

from factory.events import Verdict
from factory.runs import run_view
from factory.views.elements import Text

STAGE_SIGNS: Mapping[str, Text] = {
    run_view.WAITING: Text("·", "dim"), run_view.CACHED: Text("≡", "dim"), run_view.RUNNING: Text("▶", "run"),
    run_view.DONE: Text("✓", "good"), run_view.FAILED: Text("✗", "bad"), run_view.STOPPED: Text("■", "warn"),
}
RUN_SIGNS: Mapping[str, Text] = {
    run_view.RUNNING: Text("▶", "run"), run_view.FINISHED: Text("✓", "good"), run_view.FAILED: Text("✗", "bad"),
    run_view.INTERRUPTED_RUN: Text("■", "warn"), run_view.DEAD: Text("†", "bad"),
}
RESULT_SIGNS: Mapping[str, Text] = {"won": Text("▲", "good"), "lost": Text("▼", "bad"), "tied": Text("=", "dim")}
UNKNOWN_SIGN = Text("?", "warn")
SMOKE_WARNING = "A smoke build: few rows and little training, so its verdict means nothing; build without that profile."
STATE_MESSAGES = {
    run_view.RUNNING: "This build is still running.",
    run_view.DEAD: "This build ended without a final event: its process died. Run the same command again to resume.",
    run_view.INTERRUPTED_RUN: "This build was interrupted. Run the same command again to resume.",
    run_view.FAILED: "This build failed.",
}


def get_stage_sign(state: str) -> Text:
    """Return the sign of a stage's state."""
    return STAGE_SIGNS.get(state, UNKNOWN_SIGN)


def format_run_state(state: str) -> Text:
    """Return sign and word of a run's state."""
    sign, tone = RUN_SIGNS.get(state, UNKNOWN_SIGN)
    return Text(f"{sign} {state}", tone)


def format_result(result: str) -> Text:
    """Return sign and word of a row's result: won, lost or tied."""
    sign, tone = RESULT_SIGNS[result]
    return Text(f"{sign} {result}", tone)


def format_verdict(verdict: str) -> Text:
    """Return sign and title of a verdict; empty for none."""
    facts = Verdict.from_word(verdict).facts
    return Text(f"{facts.sign} {facts.title}", facts.tone) if verdict else Text("")


def describe_unfinished(state: str, stage: str = "", error: str = "") -> str:
    """Return why a run in this state has no verdict, with the error of the stage that failed."""
    message = STATE_MESSAGES.get(state, "No verdict: the build did not reach its gate.")
    return f"{message} {stage}: {error}" if error else message
