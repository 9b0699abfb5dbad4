"""The rows of a tool caller before they are worded: what is wanted, what is said, what is at hand, what is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from factory_synth.arguments import arguments
from factory_synth.dealing import deal
from factory_synth.parts import Tally
from factory_synth.tool_words import asked, stands
from factory_synth.tools import Tool, nearness

SAME = 0.5
"""Tools this near (Jaccard of their words) may do the same: neither is a wrong answer to the other's query."""

LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
Why = Literal["call", "none", "missing"]
Near = Mapping[str, Sequence[tuple[float, str]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many tools stand beside a query, the shares of rows of each kind, and a person's own values by argument."""

    at_hand: int
    abstain: float
    mask: float
    values: Mapping[str, Sequence[str]]
    seed: int


@dataclass(frozen=True, slots=True)
class Case:
    """The tool that is meant, the arguments that are said, the tools at hand, and why the answer is what it is."""

    tool: Tool
    given: dict[str, Any]
    offered: tuple[Tool, ...]
    why: Why
    missing: tuple[str, ...]
    masked: bool
    query: str


def cases(tools: Sequence[Tool], plan: Plan, count: int, tally: Tally) -> Iterator[Case]:
    """Every tool in turn, with kinds of rows by their shares. What can not be made of a tool is made of the next."""
    near, by_name = nearness(tools), {tool.name: tool for tool in tools}
    chances: dict[Why, float] = {"call": 1 - plan.abstain, "none": plan.abstain / 2, "missing": plan.abstain / 2}
    kinds, masks = deal(chances, f"{plan.seed} why"), deal({True: plan.mask, False: 1 - plan.mask}, f"{plan.seed} mask")
    turns = deal({tool.name: 1.0 for tool in tools}, f"{plan.seed} tool")
    seen: set[tuple[Why, str]] = set()
    for place in range(count):
        why, masked = next(kinds), next(masks)
        for turn in range(2 * len(tools)):
            case = _case(by_name[next(turns)], by_name, near, plan, why, masked, Random(f"{plan.seed} {place} {turn}"))
            if case and (case.why, case.query) not in seen:
                seen.add((case.why, case.query))
                yield case
                break
        else:
            tally.refuse("could not be made anew: the schemas allow too few values")


def _case(
    tool: Tool, tools: Mapping[str, Tool], near: Near, plan: Plan, why: Why, masked: bool, draw: Random
) -> Case | None:
    """A case of this tool; None when it can have none of the kind."""
    given, missing = arguments(tool, plan.values, draw), ""
    value: Any = None
    if why == "missing":
        lacking = [name for name in tool.required if not isinstance(given[name], bool)]
        if not lacking:
            return None
        missing = draw.choice(lacking)
        value = given.pop(missing)
    query = asked(tool, given, draw)
    if missing and stands(value, query):
        return None
    hand = [*_beside(tool, tools, near, plan.at_hand - (why != "none"), draw), *([tool] if why != "none" else [])]
    if not hand:
        return None
    named = (missing,) if missing else ()
    return Case(tool, given, tuple(draw.sample(hand, len(hand))), why, named, masked, query)


def _beside(tool: Tool, tools: Mapping[str, Tool], near: Near, count: int, draw: Random) -> list[Tool]:
    """Other tools to stand at hand: half of them the nearest that do something else, the rest any."""
    others = [name for alike, name in near[tool.name] if alike < SAME]
    wanted = min(count, len(others))
    closest = others[: (wanted + 1) // 2]
    return [tools[name] for name in (*closest, *draw.sample(others[len(closest) :], wanted - len(closest)))]


def shown_names(case: Case, seed: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Tool → the name it has in a row, and those of its arguments: its own, or made up without meaning."""
    draw = Random(seed)

    def new(lead: str, name: str) -> str:
        return f"{lead}_{''.join(draw.choices(LETTERS, k=5))}" if case.masked else name

    tools = {tool.name: tool for tool in (case.tool, *case.offered)}
    return {
        name: (new("tool", name), {each: new("arg", each) for each in tool.properties}) for name, tool in tools.items()
    }
