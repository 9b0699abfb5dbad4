"""The rows of a tool caller before they are worded: what is wanted, what is said, what is at hand, what is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from factory_synth.argument_values import draw_arguments
from factory_synth.stratified_attributes import draw_stratified_values
from factory_synth.synthesis_common import Tally
from factory_synth.tool_queries import is_value_in_text, phrase_tool_query
from factory_synth.tool_schemas import Tool, rank_similar_tools

SAME_TOOL_SIMILARITY = 0.5
"""Tools this near (Jaccard of their words) may do the same: neither is a wrong answer to the other's query."""

MASK_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
ToolCaseType = Literal["call", "none", "missing"]
ToolNeighbours = Mapping[str, Sequence[tuple[float, str]]]


@dataclass(frozen=True, slots=True)
class ToolCaseSettings:
    """How many tools stand beside a query, the shares of rows of each kind, and a person's own values by argument."""

    at_hand: int
    abstain: float
    mask: float
    values: Mapping[str, Sequence[str]]
    seed: int


@dataclass(frozen=True, slots=True)
class ToolCase:
    """The tool that is meant, the arguments that are said, the tools at hand, and why the answer is what it is."""

    tool: Tool
    arguments: dict[str, Any]
    offered_tools: tuple[Tool, ...]
    case_type: ToolCaseType
    missing_arguments: tuple[str, ...]
    is_masked: bool
    query: str


def generate_tool_cases(tools: Sequence[Tool], plan: ToolCaseSettings, count: int, tally: Tally) -> Iterator[ToolCase]:
    """Every tool in turn, with kinds of rows by their shares. What can not be made of a tool is made of the next."""
    near, by_name = rank_similar_tools(tools), {tool.name: tool for tool in tools}
    chances: dict[ToolCaseType, float] = {"call": 1 - plan.abstain, "none": plan.abstain / 2, "missing": plan.abstain / 2}
    kinds, masks = draw_stratified_values(chances, f"{plan.seed} why"), draw_stratified_values({True: plan.mask, False: 1 - plan.mask}, f"{plan.seed} mask")
    turns = draw_stratified_values({tool.name: 1.0 for tool in tools}, f"{plan.seed} tool")
    seen: set[tuple[ToolCaseType, str]] = set()
    for place in range(count):
        why, masked = next(kinds), next(masks)
        for turn in range(2 * len(tools)):
            case = _build_tool_case(by_name[next(turns)], by_name, near, plan, why, masked, Random(f"{plan.seed} {place} {turn}"))
            if case and (case.case_type, case.query) not in seen:
                seen.add((case.case_type, case.query))
                yield case
                break
        else:
            tally.count_refusal("could not be made anew: the schemas allow too few values")


def _build_tool_case(
    tool: Tool, tools: Mapping[str, Tool], near: ToolNeighbours, plan: ToolCaseSettings, why: ToolCaseType, masked: bool, draw: Random
) -> ToolCase | None:
    """A case of this tool; None when it can have none of the kind."""
    given, missing = draw_arguments(tool, plan.values, draw), ""
    value: Any = None
    if why == "missing":
        lacking = [name for name in tool.mandatory_arguments if not isinstance(given[name], bool)]
        if not lacking:
            return None
        missing = draw.choice(lacking)
        value = given.pop(missing)
    query = phrase_tool_query(tool, given, draw)
    if missing and is_value_in_text(value, query):
        return None
    hand = [*_choose_other_tools(tool, tools, near, plan.at_hand - (why != "none"), draw), *([tool] if why != "none" else [])]
    if not hand:
        return None
    named = (missing,) if missing else ()
    return ToolCase(tool, given, tuple(draw.sample(hand, len(hand))), why, named, masked, query)


def _choose_other_tools(tool: Tool, tools: Mapping[str, Tool], near: ToolNeighbours, count: int, draw: Random) -> list[Tool]:
    """Other tools to stand at hand: half of them the nearest that do something else, the rest any."""
    others = [name for alike, name in near[tool.name] if alike < SAME_TOOL_SIMILARITY]
    wanted = min(count, len(others))
    closest = others[: (wanted + 1) // 2]
    return [tools[name] for name in (*closest, *draw.sample(others[len(closest) :], wanted - len(closest)))]


def choose_shown_names(case: ToolCase, seed: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Tool → the name it has in a row, and those of its arguments: its own, or made up without meaning."""
    draw = Random(seed)

    def new(lead: str, name: str) -> str:
        return f"{lead}_{''.join(draw.choices(MASK_LETTERS, k=5))}" if case.is_masked else name

    tools = {tool.name: tool for tool in (case.tool, *case.offered_tools)}
    return {
        name: (new("tool", name), {each: new("arg", each) for each in tool.properties}) for name, tool in tools.items()
    }
