"""Which stages of a plan may start: those whose inputs are complete and that share nothing with a running one."""

from __future__ import annotations

from factory.plan.compiler import Plan, Stage


class StageGraph:
    """A plan as a graph whose stages are started, in the plan's order where they can, and finished."""

    def __init__(self, plan: Plan) -> None:
        self._waiting = {stage.name: stage for stage in plan.stages}
        self._running: dict[str, Stage] = {}
        self._blockers = _find_blockers(plan)

    @property
    def is_finished(self) -> bool:
        """Whether every stage is finished."""
        return not self._waiting and not self._running

    @property
    def running_count(self) -> int:
        return len(self._running)

    def start_next(self) -> Stage | None:
        """Start the first stage of the plan that may start, and return it; None if there is none for now."""
        stage = next(filter(self._may_start, self._waiting.values()), None)
        if stage is not None:
            self._running[stage.name] = self._waiting.pop(stage.name)
        return stage

    def finish(self, name: str) -> None:
        """Record that the output of a running stage is complete."""
        del self._running[name]

    def _may_start(self, stage: Stage) -> bool:
        blockers = self._blockers[stage.name]
        if not blockers.isdisjoint(self._waiting) or not blockers.isdisjoint(self._running):
            return False
        return not any(_share_endpoint(stage, other) for other in self._running.values())


def _find_blockers(plan: Plan) -> dict[str, set[str]]:
    """Return for each stage the stages that must be finished before it starts.

    Two stages may have one output, such as `base` and `base[teacher]` of the same model. They run one after the other,
    and both before a stage that reads it: with `--force` the second one replaces what the first one wrote.
    """
    writers: dict[tuple[str, str], list[str]] = {}
    blockers: dict[str, set[str]] = {}
    for stage in plan.stages:
        earlier = writers.setdefault((stage.kind, stage.key), [])
        blockers[stage.name] = set(earlier)
        earlier.append(stage.name)
    for stage in plan.stages:
        for name in (*stage.inputs.values(), *stage.after):
            blockers[stage.name].update(writers[plan[name].kind, plan[name].key])
    return blockers


def _share_endpoint(stage: Stage, other: Stage) -> bool:
    """Whether two stages may ask the same endpoint, whose rate limit holds within one process."""
    return "base" not in (stage.kind, other.kind) and not set(stage.hosts).isdisjoint(other.hosts)
