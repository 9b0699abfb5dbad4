"""Cases of a tool caller: the tool, its arguments, the offered tools, and the expected answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from factory_synth.argument_values import draw_arguments
from factory_synth.stratified_attributes import draw_stratified_values
from factory_synth.synthesis_common import Tally
from factory_synth.tool_queries import is_value_in_text, phrase_tool_query
from factory_synth.tool_schemas import Tool, rank_similar_tools

if TYPE_CHECKING:
    from factory_synth.tool_calls import ToolCalls

SAME_TOOL_SIMILARITY = 0.5
"""Jaccard of their words from which two tools may serve the same purpose; neither is then a distractor of the other."""

MASK_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
ToolCaseType = Literal["call", "none", "missing"]
ToolNeighbours = Mapping[str, Sequence[tuple[float, str]]]


@dataclass(frozen=True, slots=True)
class ToolCase:
    """A tool with drawn arguments, the offered tools, and the type of the expected answer."""

    tool: Tool
    arguments: dict[str, Any]
    offered_tools: tuple[Tool, ...]
    case_type: ToolCaseType
    missing_arguments: tuple[str, ...]
    is_masked: bool
    query: str


def generate_tool_cases(tools: Sequence[Tool], settings: ToolCalls, tally: Tally) -> Iterator[ToolCase]:
    """Yield cases of all tools in turn, with case types by their shares; an impossible case passes to the next tool."""
    neighbours, by_name = rank_similar_tools(tools), {tool.name: tool for tool in tools}
    abstain = settings.abstain
    chances: dict[ToolCaseType, float] = {"call": 1 - abstain, "none": abstain / 2, "missing": abstain / 2}
    case_types = draw_stratified_values(chances, f"{settings.seed} why")
    masks = draw_stratified_values({True: settings.mask, False: 1 - settings.mask}, f"{settings.seed} mask")
    turns = draw_stratified_values({tool.name: 1.0 for tool in tools}, f"{settings.seed} tool")
    seen: set[tuple[ToolCaseType, str]] = set()
    for number in range(settings.count):
        case_type, is_masked = next(case_types), next(masks)
        for turn in range(2 * len(tools)):
            tool, draw = by_name[next(turns)], Random(f"{settings.seed} {number} {turn}")
            case = _build_tool_case(tool, by_name, neighbours, settings, case_type, is_masked, draw)
            if case and (case.case_type, case.query) not in seen:
                seen.add((case.case_type, case.query))
                yield case
                break
        else:
            tally.count_refusal("repeats another case: the schemas allow too few values")


def _build_tool_case(
    tool: Tool, tools: Mapping[str, Tool], neighbours: ToolNeighbours, settings: ToolCalls,
    case_type: ToolCaseType, is_masked: bool, draw: Random,
) -> ToolCase | None:
    """Build a case of this tool; None if the tool cannot have one of this type."""
    arguments, removed = draw_arguments(tool, settings.values, draw), dict[str, Any]()
    if case_type == "missing":
        removable = [name for name in tool.mandatory_arguments if not isinstance(arguments[name], bool)]
        if not removable:
            return None
        name = draw.choice(removable)
        removed[name] = arguments.pop(name)
    query = phrase_tool_query(tool, arguments, draw)
    # The removed value may still be in the query, as the value of another argument.
    if any(is_value_in_text(value, query) for value in removed.values()):
        return None
    # Distractors: half of them the most similar tools with another purpose, the rest at random.
    others = [name for similarity, name in neighbours[tool.name] if similarity < SAME_TOOL_SIMILARITY]
    size = min(settings.tools_per_query - (case_type != "none"), len(others))
    closest = others[: (size + 1) // 2]
    names = [*closest, *draw.sample(others[len(closest) :], size - len(closest))]
    if case_type != "none":
        names.append(tool.name)
    if not names:
        return None
    offered = tuple(tools[name] for name in draw.sample(names, len(names)))
    return ToolCase(tool, arguments, offered, case_type, tuple(removed), is_masked, query)


def choose_shown_names(case: ToolCase, seed: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Map each tool to its name in the row and those of its arguments: its own, or random ones if masked."""
    draw = Random(seed)

    def choose_name(prefix: str, name: str) -> str:
        return f"{prefix}_{''.join(draw.choices(MASK_LETTERS, k=5))}" if case.is_masked else name

    tools = {tool.name: tool for tool in (case.tool, *case.offered_tools)}
    return {
        name: (choose_name("tool", name), {argument: choose_name("arg", argument) for argument in tool.properties})
        for name, tool in tools.items()
    }
