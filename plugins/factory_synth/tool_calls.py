"""Rows for a tool caller, from the schemas of the tools: who wants what, which tools are at hand, the right call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Fraction, Input, Provenance, Row, RowsJob, make_synthetic_row
from factory_synth.asking import Asking, answered, said
from factory_synth.guards import added
from factory_synth.parts import Tally, finished
from factory_synth.tool_cases import Case, Plan, cases, shown_names
from factory_synth.tool_words import stands
from factory_synth.tools import read_tools

SYSTEM = """\
You reword requests to an assistant as people type them: now short, now chatty, now with a reason. Keep the wish, and \
every value (names, numbers, dates) exactly as it is written. Add no value that is not there. Reply with the reworded \
request alone.

Request: Please get the opening hours, with branch Halden and day Sunday.
Reworded: hey, is the Halden branch open at all on Sunday?"""
USER = "Request: {query}\nReworded:"
LEAD = "Reworded:"

class ToolCalls(Asking):
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
        plan = Plan(self.at_hand, self.abstain, self.mask, self.values, self.seed)
        made_up = list(cases(tools, plan, self.count, tally))
        plain = (self._row(case, case.query) for case in made_up)
        rows = list({row.id: row for row in (self._reworded(job, made_up, tally) if self.reword else plain)}.values())
        tally.made = len(rows)
        tally.tell(job.report, "queries", self.count)
        yield from finished(job, rows)

    def _reworded(self, job: RowsJob, found: Sequence[Case], tally: Tally) -> Iterator[Row]:
        asks = [
            (case, self.request(SYSTEM, USER.replace("{query}", case.query), temperature=self.temperature))
            for case in found
        ]
        for case, reply in answered(job, asks, tally):
            query = said(reply.text, LEAD)
            if not query or not all(stands(value, query) for value in case.given.values()):
                tally.refuse("lose a value of the call", query)
            elif added(case.query, query):
                tally.refuse("add a value", query)
            else:
                yield self._row(case, query, **self.detail(reply))

    def _row(self, case: Case, query: str, **detail: Any) -> Row:
        """The row, of the group of its tool; its names masked when it is one of those."""
        names = shown_names(case, f"{self.seed} {query}")
        hand = [tool.renamed(*names[tool.name]) for tool in case.offered]
        columns = {
            self.query: query,
            self.offered: "\n".join(json.dumps(tool.to_json(), ensure_ascii=False) for tool in hand),
            self.answer: self._answer(case, names),
        }
        parent = Row(case.tool.name, {}, Provenance(str(self.tools)), table="tools")
        facts = {"case": case.why, "masked": case.masked, "seed": self.seed, **detail}
        return make_synthetic_row(self.kind, columns, [parent], f"tools/{case.tool.name}", **facts)

    def _answer(self, case: Case, names: Mapping[str, tuple[str, dict[str, str]]]) -> str:
        if self.form == "name":
            return names[case.tool.name][0] if case.why == "call" else "none"
        if case.why == "none":
            return json.dumps({"name": None})
        name, renamed = names[case.tool.name]
        if case.why == "missing":
            return json.dumps({"name": None, "missing": [renamed[each] for each in case.missing]}, ensure_ascii=False)
        given = {renamed[each]: value for each, value in case.given.items()}
        return json.dumps({"name": name, "arguments": given}, ensure_ascii=False)
