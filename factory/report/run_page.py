"""One run as one HTML file: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from pathlib import Path

from factory.report import data_section, totals_section, verdict_section, work_sections
from factory.report.html import Markup, join_markup, render_element
from factory.runs.run_outputs import RunOutputs

STYLESHEET = Path(__file__).with_name("style.css")
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
SECTIONS = (
    ("contenders", "Contenders", verdict_section.render_contenders_section),
    ("gate", "Gate", verdict_section.render_gate_section),
    ("whole", "All rows together", totals_section.render_totals_section),
    ("general", "General capability", totals_section.render_capability_section),
    ("rows", "Row by row", work_sections.render_rows_section),
    ("training", "Training", work_sections.render_training_section),
    ("data", "Data", data_section.render_data_section),
    ("work", "Work", work_sections.render_timing_section),
    ("spec", "Spec", work_sections.render_spec_section),
)


def render_run_page(evidence: RunOutputs) -> str:
    """The whole document. What a run did not reach is left out."""
    parts = [(anchor, title, part(evidence)) for anchor, title, part in SECTIONS]
    there = [(anchor, title, body) for anchor, title, body in parts if body]
    links = render_element("nav", *(render_element("a", title, href=f"#{anchor}") for anchor, title, _ in there))
    run = evidence.run
    foot = f"Made by factory {run.factory} from the journal and the store of {run.id}."
    said = join_markup(verdict_section.render_verdict_header(evidence), links, *(body for _, _, body in there))
    return render_html_document(f"{run.name or run.id}: {run.verdict or run.state}", said, foot)


def render_html_document(title: str, said: Markup, foot: str) -> str:
    """A whole page in the house's style."""
    head = render_element(
        "head",
        render_element("meta", charset="utf-8"),
        render_element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}"/>'),
        render_element("title", title),
        render_element("style", Markup(STYLESHEET.read_text(encoding="utf-8"))),
    )
    body = render_element("main", said, render_element("footer", foot, class_="meta"))
    return f"<!doctype html>\n{render_element('html', head, render_element('body', body), lang='en')}\n"
