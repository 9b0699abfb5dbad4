"""One run as one HTML file: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from pathlib import Path

from factory.evidence import RunOutputs
from factory.report import data, verdict, whole, work
from factory.report.html import Markup, join, tag

STYLE = Path(__file__).with_name("style.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
PARTS = (
    ("contenders", "Contenders", verdict.contenders),
    ("gate", "Gate", verdict.reasoning),
    ("whole", "All rows together", whole.whole),
    ("general", "General capability", whole.general),
    ("rows", "Row by row", work.rows),
    ("training", "Training", work.training),
    ("data", "Data", data.data),
    ("work", "Work", work.timing),
    ("spec", "Spec", work.spec),
)


def page(evidence: RunOutputs) -> str:
    """The whole document. What a run did not reach is left out."""
    parts = [(anchor, title, part(evidence)) for anchor, title, part in PARTS]
    there = [(anchor, title, body) for anchor, title, body in parts if body]
    links = tag("nav", *(tag("a", title, href=f"#{anchor}") for anchor, title, _ in there))
    run = evidence.run
    foot = f"Made by factory {run.factory} from the journal and the store of {run.id}."
    said = join(verdict.head(evidence), links, *(body for _, _, body in there))
    return document(f"{run.name or run.id}: {run.verdict or run.state}", said, foot)


def document(title: str, said: Markup, foot: str) -> str:
    """A whole page in the house's style."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>'),
        tag("title", title),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    body = tag("main", said, tag("footer", foot, class_="meta"))
    return f"<!doctype html>\n{tag('html', head, tag('body', body), lang='en')}\n"
