"""Rows for a tool caller, from the schemas of the tools: who wants what, which tools are at hand, the right call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Fraction, Input, Provenance, Row, RowsJob, make_synthetic_row
from factory_synth.rewording_checks import describe_added_facts
from factory_synth.synthesis_common import Tally, prepare_made_rows
from factory_synth.teacher_synthesizer import TeacherSynthesizer, ask_teacher, strip_chat_wrapping
from factory_synth.tool_cases import ToolCase, ToolCaseSettings, choose_shown_names, generate_tool_cases
from factory_synth.tool_queries import is_value_in_text
from factory_synth.tool_schemas import read_tools

SYSTEM = """\
You reword requests to an assistant as people type them: now short, now chatty, now with a reason. Keep the wish, and \
every value (names, numbers, dates) exactly as it is written. Add no value that is not there. Reply with the reworded \
request alone.

Request: Please get the opening hours, with branch Halden and day Sunday.
Reworded: hey, is the Halden branch open at all on Sunday?"""
USER = "Request: {query}\nReworded:"
ANSWER_PREFIX = "Reworded:"

class ToolCalls(TeacherSynthesizer):
    """Writes queries to calls from a file of tools in OpenAI's function format.

    Values are drawn from the schemas: enums, ranges, formats, examples. Beside the right tool stand the nearest others
    that do something else. In `abstain` of the rows no tool at hand fits, or a required argument is not said; the
    answer is then `{"name": null}`, with what is `missing`. In `mask` of them tools and arguments have made-up
    names, so that descriptions are read and names are not learned (function masking, arXiv:2410.04587). Queries are in
    the words of the descriptions; with `reword`, a teacher puts them as people would.
    """

    kind = "tool-calls"
    prompts = (SYSTEM, USER)

    tools: Annotated[Path, Input()] = Field(description="the tools, a JSON list of functions, relative to the spec")
    count: int = Field(ge=1, le=100_000, description="rows that are wanted")
    query: str = Field("query", min_length=1, description="column of the query")
    offered: str = Field("tools", min_length=1, description="column of the tools at hand: text, a JSON object a line")
    answer: str = Field("answer", min_length=1, description="column of the right answer")
    form: Literal["call", "name"] = Field("call", description="an answer is the call as JSON, or the tool's name alone")
    at_hand: int = Field(4, ge=1, le=64, description="tools that stand beside a query")
    abstain: Fraction = Field(0.2, description="rows to which no call is right, half of them for want of an argument")
    mask: Fraction = Field(0.33, description="rows whose tools and arguments have made-up names")
    values: dict[str, list[str]] = Field({}, description="values of arguments by name, where schemas give no example")
    reword: bool = Field(False, description="have the teacher reword each query")
    temperature: float = Field(0.9, ge=0, le=2, description="of the teacher")

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher",) if self.reword else ()

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        tools, tally = read_tools(job.root / self.tools, str(self.tools)), Tally()
        if len(tools) < 2:
            raise ValueError(f"{self.tools}: two tools at least are wanted, so that there is one to choose")
        plan = ToolCaseSettings(self.at_hand, self.abstain, self.mask, self.values, self.seed)
        made_up = list(generate_tool_cases(tools, plan, self.count, tally))
        plain = (self._build_tool_row(case, case.query) for case in made_up)
        rows = list({row.id: row for row in (self._reword_cases(job, made_up, tally) if self.reword else plain)}.values())
        tally.made_count = len(rows)
        tally.report_tally(job.report, "queries", self.count)
        yield from prepare_made_rows(job, rows)

    def _reword_cases(self, job: RowsJob, found: Sequence[ToolCase], tally: Tally) -> Iterator[Row]:
        asks = [
            (case, self.build_teacher_request(SYSTEM, USER.replace("{query}", case.query), temperature=self.temperature))
            for case in found
        ]
        for case, reply in ask_teacher(job, asks, tally):
            query = strip_chat_wrapping(reply.text, ANSWER_PREFIX)
            if not query or not all(is_value_in_text(value, query) for value in case.arguments.values()):
                tally.count_refusal("lose a value of the call", query)
            elif describe_added_facts(case.query, query):
                tally.count_refusal("add a value", query)
            else:
                yield self._build_tool_row(case, query, **self.build_provenance_detail(reply))

    def _build_tool_row(self, case: ToolCase, query: str, **detail: Any) -> Row:
        """The row, of the group of its tool; its names masked when it is one of those."""
        names = choose_shown_names(case, f"{self.seed} {query}")
        hand = [tool.with_masked_names(*names[tool.name]) for tool in case.offered_tools]
        columns = {
            self.query: query,
            self.offered: "\n".join(json.dumps(tool.to_json(), ensure_ascii=False) for tool in hand),
            self.answer: self._render_tool_answer(case, names),
        }
        parent = Row(case.tool.name, {}, Provenance(str(self.tools)), table="tools")
        facts = {"case": case.case_type, "masked": case.is_masked, "seed": self.seed, **detail}
        return make_synthetic_row(self.kind, columns, [parent], f"tools/{case.tool.name}", **facts)

    def _render_tool_answer(self, case: ToolCase, names: Mapping[str, tuple[str, dict[str, str]]]) -> str:
        if self.form == "name":
            return names[case.tool.name][0] if case.case_type == "call" else "none"
        if case.case_type == "none":
            return json.dumps({"name": None})
        name, renamed = names[case.tool.name]
        if case.case_type == "missing":
            return json.dumps({"name": None, "missing": [renamed[each] for each in case.missing_arguments]}, ensure_ascii=False)
        given = {renamed[each]: value for each, value in case.arguments.items()}
        return json.dumps({"name": name, "arguments": given}, ensure_ascii=False)
