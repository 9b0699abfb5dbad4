"""Execution of a plan: skips stages with an output, sends the others to a worker, and journals their events."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory import __version__
from factory.data.rows import read_json
from factory.engine.consent import require_consents
from factory.engine.executor import Executor, LocalExecutor
from factory.engine.memory_plan import require_training_memory
from factory.engine.parallelism import choose_parallel
from factory.engine.quiet_watch import CHECK_INTERVAL, QuietWatch
from factory.engine.stage_graph import StageGraph
from factory.errors import BUG, SHIPPED, UNAVAILABLE, FactoryError, InterruptedByUserError
from factory.events import Event, Noted, RunFinished, RunStarted, StageCached, StageFailed, Verdict, from_json
from factory.llm.ledger import BudgetTerms, Ledger
from factory.plan.compiler import Plan, Stage, compile_plan
from factory.plan.explain import StageReason, explain_plan
from factory.plan.stage_kinds import find_stage_kind
from factory.registry.registry import Registry
from factory.runs.incumbents import attach_incumbents
from factory.runs.run_view import SMOKE_PROFILE
from factory.spec.layers import ResolvedSpec
from factory.store.integrity import describe_damage, list_changed_inputs, list_damage
from factory.store.journal import JOURNAL_FILE, Journal, find_last_plan, find_last_verdict_time
from factory.store.outputs import Store
from factory.store.paths import LEDGER_FILE, create_home
from factory.store.version_registry import VersionFacts, register_versions

Listener = Callable[[float, Event], None]

STOP_TIMEOUT = 10.0
"""Seconds to wait for a stage that an executor was told to stop."""


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


@dataclass(frozen=True, slots=True)
class _BuildOptions:
    """How a build runs: stages to repeat, who hears the events, with cached responses only, and where stages run."""

    force: tuple[str, ...] = ()
    listener: Listener = lambda *_: None
    replay: bool = False
    executor: Executor | None = None


@dataclass
class _PlanExecution:
    """One build in progress: its stages run in the executor, and this thread alone writes the journal."""

    plan: Plan
    resolved: ResolvedSpec
    store: Store
    registry: Registry
    journal: Journal
    listener: Listener
    terms: Mapping[str, Any]
    executor: Executor
    parallel: int
    replies: queue.SimpleQueue[tuple[Stage, dict[str, Any]]] = field(default_factory=queue.SimpleQueue)
    readers: list[threading.Thread] = field(default_factory=list)
    quiet_watch: QuietWatch = field(default_factory=QuietWatch)

    def record_event(self, event: Event) -> None:
        at = self.journal.write(event)
        self.listener(at, event)
        for error in self.registry.notify_observers(event):
            note = Noted("", "warning", error)
            self.listener(self.journal.write(note), note)

    def run(self, reasons: Sequence[StageReason]) -> None:
        """Run every stage as soon as its inputs are complete, `parallel` at once. Raises StageError if one fails."""
        graph, reason_by_stage = StageGraph(self.plan), {reason.stage: reason for reason in reasons}
        while not graph.is_finished:
            stage = graph.start_next() if graph.running_count < self.parallel else None
            if stage is None:
                stage, reply = self._wait_for_reply()
                self._record_reply(stage, reply)
                if "failed" in reply:
                    raise StageError(stage.name, _describe_failure(stage, reply), reply["exit_code"])
                if "done" in reply:
                    graph.finish(stage.name)
            elif (reason := self._check_cached_output(stage, reason_by_stage[stage.name])).state == "cached":
                self.record_event(StageCached(stage.name, stage.key))
                graph.finish(stage.name)
            else:
                self.quiet_watch.hear(stage.name)
                replies = self.executor.run_stage(self._build_stage_request(stage, reason))
                reader = threading.Thread(target=self._read_replies, args=(stage, replies), daemon=True)
                reader.start()
                self.readers.append(reader)

    def _check_cached_output(self, stage: Stage, reason: StageReason) -> StageReason:
        """Return why a stage has to run after all, although there is an output, else `reason` as it is."""
        if reason.state != "cached":
            return reason
        output = self.store.locate_output(stage.name, stage.key)
        inputs = {role: self.store.locate_output(n, self.plan[n].key) for role, n in stage.inputs.items()}
        if damage := list_damage(output):
            return StageReason(stage.name, "damaged", describe_damage(damage))
        if changed := list_changed_inputs(output, inputs):
            return StageReason(stage.name, "upstream", ", ".join(changed))
        return reason

    def _wait_for_reply(self) -> tuple[Stage, dict[str, Any]]:
        """Return the next reply of any stage; meanwhile note stages that are quiet for long."""
        while True:
            for note in self.quiet_watch.find_quiet():
                self.record_event(note)
            try:
                stage, reply = self.replies.get(timeout=CHECK_INTERVAL)
            except queue.Empty:
                continue
            (self.quiet_watch.hear if "event" in reply else self.quiet_watch.forget)(stage.name)
            return stage, reply

    def _read_replies(self, stage: Stage, replies: Iterator[dict[str, Any]]) -> None:
        """Pass the replies of a stage to the thread of the build, and see to it that the last one is a result."""
        has_result, error = False, "the executor ended without a result"
        try:
            for reply in replies:
                has_result = "event" not in reply
                self.replies.put((stage, reply))
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        if not has_result:
            self.replies.put((stage, {"failed": error, "exit_code": BUG, "ended": True}))

    def _record_reply(self, stage: Stage, reply: Mapping[str, Any]) -> None:
        if "event" in reply:
            self.record_event(from_json(reply["event"]))
        elif reply.get("done") == "cached":
            self.record_event(StageCached(stage.name, stage.key))
        elif "failed" in reply:
            text = _describe_failure(stage, reply)
            self.record_event(StageFailed(stage.name, stage.key, text, reply["exit_code"]))

    def stop(self) -> None:
        """Stop the stages that still run, and journal what they did until then."""
        self.executor.close()
        for reader in self.readers:
            reader.join(STOP_TIMEOUT)
        while not self.replies.empty():
            stage, reply = self.replies.get()
            if not reply.get("ended"):  # stages that this method ended did not fail
                self._record_reply(stage, reply)

    def _build_stage_request(self, stage: Stage, reason: StageReason) -> dict[str, Any]:
        return {
            "stage": stage.to_json(), "run": stage.module_name, "why": str(reason), "force": reason.state == "forced",
            "inputs": {role: (name, self.plan[name].key) for role, name in stage.inputs.items()},
            "home": str(self.store.home), "root": str(self.resolved.root), "journal": self.journal.path.parent.name,
            "plugins": [str(folder) for folder in self.registry.folders], "terms": dict(self.terms),
        }


def _describe_failure(stage: Stage, reply: Mapping[str, Any]) -> str:
    """Return the error of a stage; a worker that ended can no longer name the plugin that was running."""
    return str(reply["failed"]) + (_describe_stage_plugins(stage) if reply.get("ended") else "")


def _describe_stage_plugins(stage: Stage) -> str:
    """Return the plugins of a stage, for the message of a worker that ended."""
    blocks = stage.config.get(find_stage_kind(stage.kind).plugin_field, [])
    kinds = [repr(block["kind"]) for block in (blocks if isinstance(blocks, (list, tuple)) else [blocks])]
    return f"; running: {', '.join(kinds)}" if kinds else ""


def run_build(
    resolved: ResolvedSpec, registry: Registry, home: Path, *, force: Sequence[str] = (),
    listener: Listener = lambda *_: None, replay: bool = False, executor: Executor | None = None,
) -> BuildResult:
    """Build a spec. Raises FactoryError if a stage fails; finished stages are kept.

    With `replay` the network is off and teachers answer from the cache only. Stages run in the `executor`, which is
    closed at the end, and by default in worker processes.
    """
    options = _BuildOptions(tuple(force), listener, replay, executor)
    resolved = attach_incumbents(resolved, registry, home)
    return _execute_plan(compile_plan(resolved), resolved, registry, home, options)


def run_until(
    plan: Plan, until: str, resolved: ResolvedSpec, registry: Registry, home: Path, *,
    listener: Listener = lambda *_: None,
) -> None:
    """Run a stage and the stages that it depends on, without a verdict. Raises FactoryError if a stage fails."""
    _execute_plan(plan.slice_until(until), resolved, registry, home, _BuildOptions(listener=listener))


def _execute_plan(
    plan: Plan, resolved: ResolvedSpec, registry: Registry, home: Path, options: _BuildOptions
) -> BuildResult:
    create_home(home)
    store, listener = Store(home), options.listener
    require_training_memory(plan, resolved, home)
    reach = require_consents(plan, resolved, home, replay=options.replay)
    reasons = explain_plan(plan, store, find_last_plan(home, plan.name), options.force)
    started, start = time.time(), time.monotonic()
    run = create_run_folder(home, plan.name, started)
    with Journal(home / "runs" / run / JOURNAL_FILE) as journal:
        terms = _build_llm_terms(resolved, home, options.replay)
        executor = options.executor or LocalExecutor(resolved.spec.budget, journal.path.with_name("worker.log"))
        to_run = [reason.stage for reason in reasons if reason.state != "cached"]
        parallel = choose_parallel(resolved.spec.budget, to_run, plan.name, resolved.profile, home)
        execution = _PlanExecution(plan, resolved, store, registry, journal, listener, terms, executor, parallel)
        execution.record_event(_build_run_started(plan, resolved, run))
        for line in reach:
            execution.record_event(Noted("", "info", line))
        verdict, code, bundle = "", BUG, ""  # BUG stays for an exception that is not a FactoryError
        try:
            execution.run(reasons)
            if "gate" in plan.list_stage_names():  # not in the plan of `run_until`
                gate = store.locate_output("gate", plan["gate"].key).output
                verdict, bundle = str(read_json(gate / "gate.json")["verdict"]), plan["bundle"].key
                _record_verdict_in_ledger(home, plan.name)
            code = Verdict.from_word(verdict).facts.exit_code if verdict else SHIPPED
        except KeyboardInterrupt:
            code = InterruptedByUserError.exit_code
            raise InterruptedByUserError("interrupted; run the same command to resume") from None
        except FactoryError as error:
            code = error.exit_code
            raise
        except OSError:  # a full disk, or a home that can not be written
            code = UNAVAILABLE
            raise
        finally:
            execution.stop()
            execution.record_event(RunFinished(run, verdict, code, round(time.monotonic() - start, 3), bundle))
    if verdict and bundle and resolved.profile != SMOKE_PROFILE:
        register_versions(home, plan.name, {bundle: VersionFacts(run, verdict, started)})
    return BuildResult(run, verdict, code, store.locate_output("bundle", bundle).output)


def _record_verdict_in_ledger(home: Path, name: str) -> None:
    """Let the budget of the next build begin here, if requests were ever sent."""
    if (home / LEDGER_FILE).is_file():
        ledger = Ledger(home / LEDGER_FILE, BudgetTerms(name))
        ledger.record_verdict()
        ledger.close()


def create_run_id(name: str, at: float) -> str:
    """Return an id such as `20261122-015700-icd-0f3a`; the hex digits are the fraction of the second, for sorting."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}-{name}-{int(at % 1 * 0x10000):04x}"


def create_run_folder(home: Path, name: str, at: float) -> str:
    """Create the folder of a new run and return its id: the next free one, as clocks may be set back."""
    while True:
        run = create_run_id(name, at)
        try:
            (home / "runs" / run).mkdir(parents=True)
            return run
        except FileExistsError:
            at += 1 / 0x10000


def _build_llm_terms(resolved: ResolvedSpec, home: Path, replay: bool) -> dict[str, Any]:
    """Return the terms for requests to teachers."""
    budget, name = resolved.spec.budget, resolved.spec.name
    # The budget is per build: interrupted runs since the last verdict count.
    since = find_last_verdict_time(home, name) if budget.tokens or budget.cost else 0.0
    since = min(since, time.time())  # a clock that was ahead then must not switch the limits off now
    return {"build": name, "tokens": budget.tokens, "money": budget.cost, "since": since, "replay": replay}


def _build_run_started(plan: Plan, resolved: ResolvedSpec, run: str) -> RunStarted:
    return RunStarted(
        run=run, name=plan.name, task=plan.task, spec=str(resolved.file), profile=resolved.profile,
        plan=[stage.to_json() for stage in plan.stages],
        resolved=[{"path": v.path, "value": v.value, "origin": v.origin, "line": v.line} for v in resolved.values],
        factory=__version__, pid=os.getpid(),
    )
