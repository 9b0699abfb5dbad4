"""Sources: what they yield from good files, and the one line that they say about bad ones."""

import json
from importlib import metadata
from pathlib import Path

import pytest
from rerank_parts import Voice

from factory.api import Job, Row
from factory.errors import InputError
from factory_sources.icd10 import Icd10, is_in_chapters, render_code_document
from factory_sources.icd10_chapters import Icd10Chapters, shorten_chapter_title
from factory_sources.icd10_tabular import Icd10Code, read_tabular
from factory_sources.retrieval_dataset import Retrieval

CORPUS = [{"id": "d1", "text": "Calculus of kidney"}, {"id": "d2", "text": "Asthma", "title": "Lungs"}]
QUERIES = [
    {"id": "q1", "text": "kidney stone", "split": "test"}, {"id": 2, "text": "bronchial spasm"},
    {"id": "q3", "text": "x"},
]
QRELS = [
    {"query_id": "q1", "doc_id": "d1", "relevance": 2}, {"query_id": "q1", "doc_id": "d2", "relevance": 0},
    {"query_id": "2", "doc_id": "d9"}, {"query_id": "q3", "doc_id": "d2", "relevance": -1},
]
TABULAR = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular><chapter><name>10</name><desc>Lungs</desc><section id="J45">
<diag><name>J45</name><desc>Asthma</desc>
  <includes><note>not a phrase</note></includes>
  <inclusionTerm><note>Bronchial
    spasm</note></inclusionTerm>
  <diag><name>J45.9</name><desc>Other and unspecified asthma</desc>
    <inclusionTerm><note>Asthma NOS</note><note>Late asthma</note></inclusionTerm>
  </diag>
</diag></section></chapter></ICD10CM.tabular>
"""


def collection(folder: Path, **files: list[object]) -> Retrieval:
    for name, records in {"corpus": CORPUS, "queries": QUERIES, "qrels": QRELS, **files}.items():
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return Retrieval(corpus=Path("corpus.jsonl"), queries=Path("queries.jsonl"), qrels=Path("qrels.jsonl"))


def read(source: Retrieval | Icd10, folder: Path, voice: Voice | None = None) -> list[Row]:
    return list(source.iter_rows(Job(7, voice or Voice(), folder)))


def test_a_collection_becomes_rows_and_documents(tmp_path: Path) -> None:
    voice = Voice()
    documents, (first, second) = (found := read(collection(tmp_path), tmp_path, voice))[:2], found[2:]
    assert [(row.table, row.id) for row in documents] == [("documents", "d1"), ("documents", "d2")]
    assert (documents[1]["title"], documents[1].provenance.line) == ("Lungs", 2)
    assert (first.id, first["relevant"], first["irrelevant"], first.split) == ("q1", {"d1": 2}, ["d2"], "test")
    assert (second.id, second["relevant"]) == ("2", {"d9": 1})  # not in the corpus: preflight's to find
    assert voice.notes == ["queries.jsonl: skipped 1 query without a relevant document"]


def test_judgements_of_unknown_queries_are_said(tmp_path: Path) -> None:
    voice = Voice()
    read(collection(tmp_path, qrels=[*QRELS, {"query_id": "q7", "doc_id": "d1"}]), tmp_path, voice)
    assert "qrels.jsonl: 1 judged query is not in queries.jsonl (q7)" in voice.notes


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    source = collection(tmp_path, corpus=[{"_id": "d1", "body": "Calculus"}], queries=[{"_id": "q1", "body": "stone"}])
    names = source.fields.model_copy(update={"id": "_id", "text": "body"})
    assert [row.id for row in read(source.model_copy(update={"fields": names}), tmp_path)] == ["d1", "q1"]


@pytest.mark.parametrize(
    ("file", "record", "said"),
    [
        ("corpus", {"id": "d1"}, "corpus.jsonl:1: text: no such field; the record has id; set "
        "`fields` if it has others"),
        ("corpus", {"id": "", "text": "a"}, "corpus.jsonl:1: id: is empty"),
        ("queries", {"id": ["q"], "text": "a"}, "queries.jsonl:1: id: expected text or a whole "
        "number, got list; convert it to text"),
        ("qrels", {"query_id": "q", "doc_id": "d", "relevance": "x"}, "qrels.jsonl:1: relevance: expected a number, "
        "got 'x'"),
        ("qrels", '{"query_id": ', "qrels.jsonl:1: not JSON: Expecting value at column 13"),
    ],
)
def test_wrong_data_is_named_by_file_line_and_field(tmp_path: Path, file: str, record: object, said: str) -> None:
    with pytest.raises((ValueError, InputError)) as caught:
        read(collection(tmp_path, **{file: [record]}), tmp_path)
    assert str(caught.value) == said


def test_a_document_judged_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"qrels.jsonl:5: doc_id: duplicate judgement of 'd1' for this query"):
        read(collection(tmp_path, qrels=[*QRELS, QRELS[0]]), tmp_path)


def test_the_key_of_a_collection_is_its_content_not_its_name(tmp_path: Path) -> None:
    one = collection(tmp_path).compute_identity(tmp_path)
    (tmp_path / "corpus.jsonl").rename(tmp_path / "other.jsonl")
    other = collection(tmp_path).model_copy(update={"corpus": Path("other.jsonl")})
    assert other.compute_identity(tmp_path) == one
    (tmp_path / "other.jsonl").write_text('{"id": "d1", "text": "changed"}')
    assert other.compute_identity(tmp_path) != one


def test_the_tabular_list_is_walked_with_its_lines(tmp_path: Path) -> None:
    (tmp_path / "tabular.xml").write_text(TABULAR)
    asthma, other = read_tabular(tmp_path / "tabular.xml")
    assert (asthma.name, asthma.line, asthma.phrases) == ("J45", 3, [("Bronchial spasm", 6)])
    assert (other.parents, other.phrases) == (("Asthma",), [("Asthma NOS", 8), ("Late asthma", 8)])
    (tmp_path / "broken.xml").write_text(TABULAR.replace("</diag></section>", "</section>"))
    with pytest.raises(ValueError, match=r"^broken.xml:10: mismatched tag"):
        read_tabular(tmp_path / "broken.xml")


def test_parents_stand_before_a_description_as_asked() -> None:
    code = Icd10Code(1, "J45.91", "Exercise asthma", ("Asthma", "Other asthma"))
    texts = {
        context: render_code_document(code, context) for context in ("none", "parent", "new-parent", "category", "path")
    }
    assert texts == {
        "none": "Exercise asthma", "parent": "Other asthma: Exercise asthma",
        "new-parent": "Other asthma: Exercise asthma",
        "category": "Asthma: Exercise asthma", "path": "Asthma: Other asthma: Exercise asthma",
    }
    assert render_code_document(Icd10Code(1, "J45", "Other asthma", ("Asthma",)), "new-parent") == "Other asthma"


def test_icd10_gives_phrases_for_codes_of_their_family() -> None:
    voice = Voice()
    found = read(Icd10(chapters=["N10-N14", "J45"]), Path(), voice)
    documents = {row.id: row for row in found if row.table}
    phrases = [row for row in found if not row.table]
    assert {"N13", "J45"} <= {row.group for row in found} <= {"J45", *(f"N{number}" for number in range(10, 15))}
    kinked = next(row for row in phrases if row["query"] == "Kinking and stricture of ureter without hydronephrosis")
    assert (kinked["relevant"], kinked.group, kinked.provenance.line > 1) == ({"N13.5": 1}, "N13", True)
    assert all(code in documents for row in phrases for code in row["relevant"])


@pytest.mark.parametrize(("span", "inside", "outside"), [
    ("N", "N99", "O00"), ("A-B", "B99", "C00"), ("H60-H95", "H95", "H59"), ("C4A", "C4A", "C49"),
])
def test_chapters_are_letters_categories_or_ranges(span: str, inside: str, outside: str) -> None:
    source = Icd10(chapters=[span])
    assert is_in_chapters(source.chapters, inside) and not is_in_chapters(source.chapters, outside)


def test_the_key_of_icd10_holds_the_package_version() -> None:
    assert Icd10().compute_identity(Path())["fingerprint"] == metadata.version("simple-icd-10-cm")


def test_a_package_that_is_missing_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("factory_sources.icd10.ICD10_PACKAGE", "no-such-icd")
    with pytest.raises(ModuleNotFoundError, match="no-such-icd is not installed: pip install no-such-icd"):
        Icd10().compute_fingerprint()


def test_chapters_are_called_as_a_clinician_would_or_by_their_titles() -> None:
    for names, label in (("short", "eye"), ("official", "Diseases of the eye and adnexa")):
        found = read(Icd10Chapters(chapters=["H10"], names=names), Path(), Voice())
        assert {row["label"] for row in found} == {label}
    assert shorten_chapter_title("Endocrine, nutritional and metabolic diseases") == "endocrine"
    assert shorten_chapter_title("Codes of a chapter to come") == "Codes of a chapter to come"
