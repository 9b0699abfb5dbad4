"""Execution of a plan: skips stages with an output, sends the others to a worker, and journals their events."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory import __version__
from factory.data.rows import read_json
from factory.engine.worker_client import WorkerClient
from factory.errors import BUG, SHIPPED, FactoryError, InterruptedByUserError
from factory.events import Event, Noted, RunFinished, RunStarted, StageCached, StageFailed, from_json
from factory.plan.compiler import Plan, Stage, compile_plan
from factory.plan.explain import StageReason, explain_plan
from factory.plan.stage_kinds import find_stage_kind
from factory.registry.registry import Registry
from factory.spec.layers import ResolvedSpec
from factory.store.journal import JOURNAL_FILE, Journal, find_last_plan, find_last_verdict_time
from factory.store.outputs import Store
from factory.verdict import Verdict

Listener = Callable[[float, Event], None]


class StageError(FactoryError):
    """A stage failed in the worker, with its message and exit code."""

    def __init__(self, stage: str, text: str, exit_code: int) -> None:
        super().__init__(f"{stage}: {text}")
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class BuildResult:
    """Result of a build: run id, verdict, exit code of the verdict, and folder of the bundle."""

    run: str
    verdict: str
    exit_code: int
    bundle: Path


@dataclass
class _PlanExecution:
    """One build in progress."""

    plan: Plan
    resolved: ResolvedSpec
    store: Store
    registry: Registry
    journal: Journal
    listener: Listener
    terms: Mapping[str, Any]
    worker_client: WorkerClient | None = None

    def record_event(self, event: Event) -> None:
        at = self.journal.write(event)
        self.listener(at, event)
        for error in self.registry.notify_observers(event):
            note = Noted("", "warning", error)
            self.listener(self.journal.write(note), note)

    def run(self, reasons: Sequence[StageReason]) -> None:
        for stage, reason in zip(self.plan.stages, reasons, strict=True):
            if reason.state == "cached":
                self.record_event(StageCached(stage.name, stage.key))
            else:
                self._run_in_worker(stage, reason)

    def _run_in_worker(self, stage: Stage, reason: StageReason) -> None:
        if self.worker_client is None:
            log = self.journal.path.with_name("worker.log")
            self.worker_client = WorkerClient.start(self.resolved.spec.budget, log)
        for reply in self.worker_client.send_request(self._build_stage_request(stage, reason)):
            if "event" in reply:
                self.record_event(from_json(reply["event"]))
            elif reply.get("done") == "cached":
                self.record_event(StageCached(stage.name, stage.key))
            elif "failed" in reply:
                # A worker that ended can no longer name the plugin that was running.
                text = reply["failed"] + (_describe_stage_plugins(stage) if reply.get("ended") else "")
                self.record_event(StageFailed(stage.name, stage.key, text, reply["exit_code"]))
                raise StageError(stage.name, text, reply["exit_code"])

    def _build_stage_request(self, stage: Stage, reason: StageReason) -> dict[str, Any]:
        return {
            "stage": stage.to_json(), "run": stage.module_name, "why": str(reason), "force": reason.state == "forced",
            "inputs": {role: (name, self.plan[name].key) for role, name in stage.inputs.items()},
            "home": str(self.store.home), "root": str(self.resolved.root), "journal": self.journal.path.parent.name,
            "plugins": [str(folder) for folder in self.registry.folders], "terms": dict(self.terms),
        }


def _describe_stage_plugins(stage: Stage) -> str:
    """Return the plugins of a stage, for the message of a worker that ended."""
    blocks = stage.config.get(find_stage_kind(stage.kind).plugin_field, [])
    kinds = [repr(block["kind"]) for block in (blocks if isinstance(blocks, (list, tuple)) else [blocks])]
    return f"; running: {', '.join(kinds)}" if kinds else ""


def run_build(
    resolved: ResolvedSpec, registry: Registry, home: Path, *, force: Sequence[str] = (),
    listener: Listener = lambda *_: None, replay: bool = False,
) -> BuildResult:
    """Build a spec. Raises FactoryError if a stage fails; finished stages are kept.

    With `replay` the network is off and teachers answer from the cache only.
    """
    return _execute_plan(compile_plan(resolved), resolved, registry, home, force, listener, replay)


def run_until(
    plan: Plan, until: str, resolved: ResolvedSpec, registry: Registry, home: Path, *,
    listener: Listener = lambda *_: None,
) -> None:
    """Run a stage and the stages that it depends on, without a verdict. Raises FactoryError if a stage fails."""
    _execute_plan(plan.slice_until(until), resolved, registry, home, (), listener)


def _execute_plan(
    plan: Plan, resolved: ResolvedSpec, registry: Registry, home: Path, force: Sequence[str], listener: Listener,
    replay: bool = False,
) -> BuildResult:
    store = Store(home)
    reasons = explain_plan(plan, store, find_last_plan(home, plan.name), force)
    run, start = create_run_id(plan.name, time.time()), time.monotonic()
    with Journal(home / "runs" / run / JOURNAL_FILE) as journal:
        terms = _build_llm_terms(resolved, home, replay)
        execution = _PlanExecution(plan, resolved, store, registry, journal, listener, terms)
        execution.record_event(_build_run_started(plan, resolved, run))
        verdict, code, bundle = "", BUG, ""  # BUG stays for an exception that is not a FactoryError
        try:
            execution.run(reasons)
            if "gate" in plan.list_stage_names():  # not in the plan of `run_until`
                gate = store.locate_output("gate", plan["gate"].key).output
                verdict, bundle = str(read_json(gate / "gate.json")["verdict"]), plan["bundle"].key
            code = Verdict.from_word(verdict).facts.exit_code if verdict else SHIPPED
        except KeyboardInterrupt:
            code = InterruptedByUserError.exit_code
            raise InterruptedByUserError("interrupted; run the same command to resume") from None
        except FactoryError as error:
            code = error.exit_code
            raise
        finally:
            if execution.worker_client is not None:
                execution.worker_client.close()
            execution.record_event(RunFinished(run, verdict, code, round(time.monotonic() - start, 3), bundle))
    return BuildResult(run, verdict, code, store.locate_output("bundle", bundle).output)


def create_run_id(name: str, at: float) -> str:
    """Return an id such as `20261122-015700-icd-0f3a`; the hex digits are the fraction of the second, for sorting."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}-{name}-{int(at % 1 * 0x10000):04x}"


def _build_llm_terms(resolved: ResolvedSpec, home: Path, replay: bool) -> dict[str, Any]:
    """Return the terms for requests to teachers."""
    budget, name = resolved.spec.budget, resolved.spec.name
    # The budget is per build: interrupted runs since the last verdict count.
    since = find_last_verdict_time(home, name) if budget.tokens or budget.cost else 0.0
    return {"build": name, "tokens": budget.tokens, "money": budget.cost, "since": since, "replay": replay}


def _build_run_started(plan: Plan, resolved: ResolvedSpec, run: str) -> RunStarted:
    return RunStarted(
        run=run, name=plan.name, task=plan.task, spec=str(resolved.file), profile=resolved.profile,
        plan=[stage.to_json() for stage in plan.stages],
        resolved=[{"path": v.path, "value": v.value, "origin": v.origin, "line": v.line} for v in resolved.values],
        factory=__version__, pid=os.getpid(),
    )
