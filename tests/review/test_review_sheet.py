"""The queue as a spreadsheet, and what spreadsheets and people do to it on the way back."""

import csv
import io
from pathlib import Path

import pytest
from review_parts import desk, row, rows

from factory.errors import InputError
from factory.review import spreadsheet

Cells = dict[str, str]


def out(one) -> list[Cells]:
    return list(csv.DictReader(io.StringIO(spreadsheet.render_review_sheet(one, one.items).removeprefix("\ufeff"))))


def save(path: Path, lines: list[Cells], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(lines)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def test_a_sheet_comes_back_with_its_decisions(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(4))
    lines = out(one)
    assert list(lines[0]) == ["row", "text", "label", "decision", "note"]
    lines[0]["decision"], lines[1]["decision"], lines[1]["note"] = "Accept", "no", "not a question"
    lines[2] |= {"decision": "edit", "label": "refund" if lines[2]["label"] != "refund" else "billing"}
    found = spreadsheet.read_review_sheet(save(tmp_path / "s.csv", lines), one, one.items)
    one.write_decisions(found.decisions)
    assert [word.verdict for word in one.decision_log.decisions] == ["accept", "reject", "edit"]
    assert one.decision_log.decisions[1].note == "not a question" and len(one.list_waiting_items()) == 1
    again = spreadsheet.read_review_sheet(tmp_path / "s.csv", one, one.items)
    assert again.decisions == () and again.notes == ("decisions that were recorded before: 3",)


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8-sig"), (";", "utf-8")]
)
def test_other_separators_encodings_orders_and_columns_are_borne(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    made = [row(1, text="Où est ma carte; s'il vous plaît,\nmerci?"), row(2, text='a "quoted", text')]
    one = desk(tmp_path, made)
    lines = [{"mine": "x", " Decision ": "ok", "ROW": line["row"], "label": line["label"] + " "} for line in out(one)]
    found = spreadsheet.read_review_sheet(save(tmp_path / "s.csv", lines, delimiter, encoding), one, one.items)
    assert [word.verdict for word in found.decisions] == ["accept", "accept"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+41", "-5", "@SUM(A1)", "'quoted", "'=x", "\t=1", "＝1", "plain", "it's", "", "'"]
)
def test_no_cell_is_a_formula_and_every_text_comes_back(tmp_path: Path, text: str) -> None:
    assert spreadsheet.unescape_formula(spreadsheet.escape_formula(text)) == text
    one = desk(tmp_path, [row(1, text=text or "none")])
    for name, cell in out(one)[0].items():
        assert name == "row" or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"decision": "maybe"}, "s.csv:2: unknown decision 'maybe'; write accept, reject or edit, or leave it empty"),
        ({"decision": "accept", "label": "refnd"}, "s.csv:2: label was changed, but decision is accept"),
        ({"decision": "edit"}, "s.csv:2: decision is edit, but nothing was changed; change label"),
        ({"decision": "edit", "label": "refnd"}, "s.csv:2: 'refnd' is not the answer of any other row; did you mean"),
        ({"decision": "edit", "label": ""}, "s.csv:2: label is empty; reject the row instead"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value.values()),
)
def test_a_sheet_with_a_fault_is_taken_not_at_all(tmp_path: Path, change: Cells, complaint: str) -> None:
    one = desk(tmp_path, rows(6))
    lines = out(one)
    lines[0] |= change
    lines[1]["decision"] = "accept"
    with pytest.raises(InputError) as error:
        spreadsheet.read_review_sheet(save(tmp_path / "s.csv", lines), one, one.items)
    assert complaint in str(error.value)
    assert not one.file.exists()


def test_rows_that_are_not_here_and_changes_without_a_decision_are_told(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(3))
    lines = out(one)
    lines[0]["label"] = "other"
    lines[1] |= {"row": "r0123", "decision": "accept"}
    found = spreadsheet.read_review_sheet(save(tmp_path / "s.csv", lines), one, one.items)
    assert found.decisions == ()
    assert found.notes[0].startswith("decisions on rows that are not in the current queue, skipped: 1")
    assert found.notes[1] == "rows changed without a decision, skipped (write edit): 1"


def test_two_lines_of_one_row_must_say_the_same(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(2))
    lines = out(one)
    twice = [{**lines[0], "decision": "accept"}, {**lines[0], "decision": "accept"}, {**lines[0], "decision": "reject"}]
    assert len(spreadsheet.read_review_sheet(save(tmp_path / "s.csv", twice[:2]), one, one.items).decisions) == 1
    with pytest.raises(InputError, match=r"s\.csv:4: another line decides differently on this row"):
        spreadsheet.read_review_sheet(save(tmp_path / "s.csv", twice), one, one.items)


def test_what_is_no_sheet_of_ours_is_said(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(2))
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    with pytest.raises(InputError, match=r"a.csv:1: no column 'row', only text, label; export the sheet again with"):
        spreadsheet.read_review_sheet(tmp_path / "a.csv", one, one.items)
    (tmp_path / "b.csv").write_bytes("row,decision\nr1,d\xe9j\xe0\n".encode("latin-1"))
    with pytest.raises(InputError, match="save it as 'CSV UTF-8'"):
        spreadsheet.read_review_sheet(tmp_path / "b.csv", one, one.items)
    with pytest.raises(InputError, match="No such file"):
        spreadsheet.read_review_sheet(tmp_path / "c.csv", one, one.items)
