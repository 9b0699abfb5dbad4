"""Generate rows for a tool caller from tool schemas: a query, the offered tools, and the right call."""

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
from factory_synth.tool_cases import ToolCase, choose_shown_names, generate_tool_cases
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
    """Writes queries for calls of the tools in a file, in OpenAI's function format.

    Argument values are drawn from the schemas: enums, ranges, formats, examples. The right tool is offered among
    similar ones with another purpose. In a share `abstain` of the rows no offered tool fits or a required argument is
    missing; the answer is then `{"name": null}`, with the `missing` arguments. In a share `mask` the names of tools
    and arguments are random, so that the model reads descriptions (function masking, arXiv:2410.04587). Queries use
    the words of the descriptions; with `reword` a teacher rewords them.
    """

    kind = "tool-calls"
    prompts = (SYSTEM, USER)

    tools: Annotated[Path, Input()] = Field(description="JSON list of functions, relative to the spec")
    count: int = Field(ge=1, le=100_000, description="rows to generate")
    query: str = Field("query", min_length=1, description="column of the query")
    offered: str = Field("tools", min_length=1, description="column of the offered tools, one JSON object per line")
    answer: str = Field("answer", min_length=1, description="column of the right answer")
    form: Literal["call", "name"] = Field("call", description="answer with the call as JSON, or with the tool's name")
    tools_per_query: int = Field(4, ge=1, le=64, description="tools offered per query")
    abstain: Fraction = Field(0.2, description="share of rows without a right call, half for a missing argument")
    mask: Fraction = Field(0.33, description="share of rows with random names of tools and arguments")
    values: dict[str, list[str]] = Field({}, description="argument values by name, for schemas without examples")
    reword: bool = Field(False, description="let the teacher reword each query")
    temperature: float = Field(0.9, ge=0, le=2, description="sampling temperature of the teacher")

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher",) if self.reword else ()

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        tools, tally = read_tools(job.root / self.tools, str(self.tools)), Tally()
        if len(tools) < 2:
            raise ValueError(f"{self.tools}: at least two tools are needed, got {len(tools)}")
        cases = list(generate_tool_cases(tools, self, tally))
        plain = (self._build_tool_row(case, case.query) for case in cases)
        new_rows = self._reword_cases(job, cases, tally) if self.reword else plain
        rows = list({row.id: row for row in new_rows}.values())
        tally.report_tally(job.report, "queries", len(rows), self.count)
        yield from prepare_made_rows(job, rows)

    def _reword_cases(self, job: RowsJob, cases: Sequence[ToolCase], tally: Tally) -> Iterator[Row]:
        prompts = [USER.replace("{query}", case.query) for case in cases]
        requests = [self.build_teacher_request(SYSTEM, prompt, temperature=self.temperature) for prompt in prompts]
        for case, reply in ask_teacher(job, zip(cases, requests, strict=True), tally):
            query = strip_chat_wrapping(reply.text, ANSWER_PREFIX)
            if not query or not all(is_value_in_text(value, query) for value in case.arguments.values()):
                tally.count_refusal("loses a value of the call", query)
            elif describe_added_facts(case.query, query):
                tally.count_refusal("adds a value", query)
            else:
                yield self._build_tool_row(case, query, **self.build_provenance_detail(reply))

    def _build_tool_row(self, case: ToolCase, query: str, **detail: Any) -> Row:
        """Build a row in the group of its tool, with masked names if the case says so."""
        names = choose_shown_names(case, f"{self.seed} {query}")
        offered = [tool.with_masked_names(*names[tool.name]) for tool in case.offered_tools]
        columns = {
            self.query: query,
            self.offered: "\n".join(json.dumps(tool.to_json(), ensure_ascii=False) for tool in offered),
            self.answer: self._render_tool_answer(case, names),
        }
        parent = Row(case.tool.name, {}, Provenance(str(self.tools)), table="tools")
        detail = {"case": case.case_type, "masked": case.is_masked, "seed": self.seed, **detail}
        return make_synthetic_row(self.kind, columns, [parent], f"tools/{case.tool.name}", **detail)

    def _render_tool_answer(self, case: ToolCase, names: Mapping[str, tuple[str, dict[str, str]]]) -> str:
        name, argument_names = names[case.tool.name]
        if self.form == "name":
            return name if case.case_type == "call" else "none"
        answer: dict[str, Any] = {"name": None}
        if case.case_type == "missing":
            answer["missing"] = [argument_names[argument] for argument in case.missing_arguments]
        if case.case_type == "call":
            arguments = {argument_names[argument]: value for argument, value in case.arguments.items()}
            answer = {"name": name, "arguments": arguments}
        return json.dumps(answer, ensure_ascii=False)
