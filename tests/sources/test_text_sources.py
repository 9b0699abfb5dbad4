"""Sources of texts: folders of documents, logs of chats, files inside packages."""

from importlib import metadata
from pathlib import Path

import pytest
from pydantic import ValidationError
from source_parts import ODD, lines, read
from tiny_parts import Voice

from factory.errors import InputError
from factory_sources.chat_log import ChatLog
from factory_sources.chunking import count_approximate_tokens, split_into_passages
from factory_sources.document_blocks import parse_html_blocks, parse_markdown_blocks
from factory_sources.documents import Documents
from factory_sources.installed_package import PackageSource

GUIDE = f"""---
draft: yes
---
Before all.

# Guide ##
First\x0bparagraph\u2028goes
on.

Parts
-----
```
# no heading

code
```
### Deep
{ODD}
## Late
End.
"""
PAGE = f"""<!DOCTYPE html><html><head><title>A &amp; B</title><style>p {{}}</style>
<body><h1>Top</h1>
<p>One <b>bold</b>
 word<script>no()</script>.
<ul><li>first<li>second</ul>
<h2>Table</h2><table><tr><td>a</td><td>{ODD}</td></tr></table><pre>  two
 lines</pre></html>"""


def folder(root: Path, **files: str | bytes) -> Path:
    (root / "docs" / "deep").mkdir(parents=True)
    (root / "docs" / ".hidden.md").write_text("not a document")
    for name, content in files.items():
        path = root / "docs" / name.replace("__", "/").replace("_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def test_markdown_is_cut_at_headings_with_the_line_of_each_passage(tmp_path: Path) -> None:
    rows = read(Documents(folder=Path("docs")), folder(tmp_path, guide_md="\ufeff" + GUIDE.replace("\n", "\r\n")))
    assert [(row["heading"], row.provenance.line) for row in rows] == [
        ("", 4), ("Guide", 7), ("Guide > Parts", 12), ("Guide > Parts > Deep", 18), ("Guide > Late", 20),
    ]
    assert rows[1]["text"] == "First\x0bparagraph\u2028goes\non." and rows[2]["text"].count("\n") == 4
    deep = rows[3]
    assert (deep["text"], deep["title"], deep.id, deep.group) == (ODD, "Guide", "guide.md#4", "guide.md")
    assert deep.provenance.source == "docs/guide.md"
    assert deep.provenance.detail == {"heading": ["Guide", "Parts", "Deep"]}


def test_html_is_read_as_a_browser_shows_it(tmp_path: Path) -> None:
    rows = read(Documents(folder=Path("docs")), folder(tmp_path, deep__a_html=PAGE))
    assert [(row["heading"], row["text"], row.provenance.line) for row in rows] == [
        ("Top", "One bold word.\n\nfirst\n\nsecond", 3), ("Top > Table", f"a {ODD}\n\n  two\n lines", 6),
    ]
    assert {row["title"] for row in rows} == {"A & B"} and rows[0].id == "deep/a.html#1"


def test_a_passage_is_no_longer_than_asked_and_loses_nothing() -> None:
    text = "\n".join(f"Sentence {number} is here. Another, longer one follows it; and ends." for number in range(40))
    source = f"# Top\n\n{text}\n\n{'word ' * 50}\n\n漢字かな交じり文。{'長' * 30}"
    cut = list(split_into_passages(parse_markdown_blocks(source), 30))
    assert max(count_approximate_tokens(passage.text) for passage in cut) <= 30 < count_approximate_tokens(text)
    words = "".join(passage.text for passage in cut)
    assert "".join(words.split()) == "".join(f"{text}{'word' * 50}漢字かな交じり文。{'長' * 30}".split())
    lines_of = f"# Top\n\n{text}".splitlines()
    assert all(lines_of[one.line - 1].find(one.text[:15]) >= 0 for one in cut[:10])


def test_documents_may_fill_a_side_table_and_small_passages_are_counted(tmp_path: Path) -> None:
    voice, made = Voice(), Documents(folder=Path("docs"), table="documents", min_tokens=3, max_tokens=8)
    first, *_ = read(made, folder(tmp_path, a_txt="one\n\ntwo words more and more and more and on.", b_txt="x"), voice)
    assert (made.output_columns, made.tables, first.table) == ((), ("documents",), "documents")
    assert (first.provenance.line, voice.notes) == (3, ["docs: skipped 3 passages of fewer than 3 tokens"])


def test_what_is_wrong_with_documents_is_named(tmp_path: Path) -> None:
    made = Documents(folder=Path("docs"))
    with pytest.raises(ValueError, match=r"^docs: no .md, .markdown, .txt, .html, .htm files in this folder$"):
        read(made, folder(tmp_path, a_pdf=b"%PDF"))
    (tmp_path / "docs" / "b.txt").write_bytes(b"one\n\ntw\xff")
    with pytest.raises(ValueError, match=r"^docs/b.txt:3: not UTF-8: invalid start byte at byte 7 of the file$"):
        read(made, tmp_path)
    with pytest.raises(ValidationError, match="unknown field 'txt'; records have text, title, heading, file"):
        Documents(folder=Path("docs"), map={"text": "txt"})


def test_unclosed_markup_ends_with_the_file() -> None:
    assert [block.text for block in parse_html_blocks("<head><title>x<body><p>kept<div>too")] == ["kept", "too"]
    assert [block.text for block in parse_markdown_blocks("```\nopen\n\n# still code")] == ["```\nopen\n\n# still code"]


CHAT = {"id": "c", "messages": [
    {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": [{"type": "text", "text": ODD}]},
    {"role": "assistant", "content": None, "tool_calls": []}, {"role": "tool", "content": "42"},
    {"role": "assistant", "content": "It is 42."}, {"role": "user", "content": "Thanks"},
]}


def chats(root: Path, *records: object, **fields: object) -> ChatLog:
    lines(root / "chats.jsonl", *records)
    return ChatLog(file=Path("chats.jsonl"), **fields)


def test_the_last_answer_of_a_chat_is_a_row(tmp_path: Path) -> None:
    made = chats(tmp_path, CHAT, columns=["prompt", "history", "system"], map={"answer": "target"})
    (row,) = read(made, tmp_path)
    assert (row["prompt"], row["answer"], row["system"], row.id) == (ODD, "It is 42.", "Be brief.", "chats#1")
    assert [turn["role"] for turn in row["history"]] == ["user", "assistant", "assistant", "tool"]
    assert (row.provenance.line, row.provenance.detail) == (1, {"turn": 7})


def test_the_text_parts_of_a_turn_are_joined_by_a_line_break(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "my parcel"}, {"type": "text", "text": "is late"}]
    turns = [{"role": "user", "content": parts}, {"role": "assistant", "content": "delivery"}]
    (row,) = read(chats(tmp_path, {"messages": turns}), tmp_path)
    assert row["prompt"] == "my parcel\nis late"


def test_each_answer_may_be_a_row_of_one_group(tmp_path: Path) -> None:
    silent = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0},
                           {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}
    rows = read(chats(tmp_path, CHAT, silent, turns="each"), tmp_path)
    assert [(row["prompt"], row["target"]) for row in rows] == [("Hello", "Hi!"), (ODD, "It is 42."), ("c", "d")]
    assert [(row.id, row.group) for row in rows] == [
        ("chats#1.3", "chats#1"), ("chats#1.7", "chats#1"), ("chats#2.4", "chats#2"),
    ]
    assert [row.id for row in read(chats(tmp_path, CHAT, turns="each", id="id"), tmp_path)] == ["c.3", "c.7"]


@pytest.mark.parametrize(("record", "said"), [
    ({"chat": []}, "messages: no such field; the record has chat"),
    ({"messages": [{"role": "user", "content": "a"}]}, "messages: no assistant turn with text follows a user turn; "
    "remove"),
    ({"messages": [{"role": "bot", "content": "a"}]}, "messages: turn 1: role 'bot' is none of system, "
    "developer"),
    ({"messages": [{"role": "user", "content": 3}]}, "messages: turn 1: content: expected text, got int"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages: turn 1: content: expected text, got "
    "a part of"),
])
def test_a_chat_that_is_none_is_named(tmp_path: Path, record: object, said: str) -> None:
    with pytest.raises((ValueError, InputError)) as caught:
        read(chats(tmp_path, CHAT, record), tmp_path)
    assert str(caught.value).startswith(f"chats.jsonl:2: {said}")


IRIS = {"package": "scikit-learn", "file": "sklearn/datasets/data/iris.csv", "columns": ["setosa"]}


def test_a_file_of_an_installed_package_gives_rows() -> None:
    version = metadata.version("scikit-learn")
    first, *others = read(PackageSource(**IRIS), Path())
    assert (first["setosa"], first.provenance.line, first.id, len(others)) == ("1.4", 2, "iris#2", 149)
    assert first.provenance.source == f"scikit-learn {version}: sklearn/datasets/data/iris.csv"
    assert PackageSource(**IRIS).compute_identity(Path())["fingerprint"] == version


def test_a_package_or_a_file_of_it_that_is_not_there_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no-such-data is not installed: pip install no-such-data"):
        PackageSource(**{**IRIS, "package": "no-such-data"}).compute_fingerprint()
    with pytest.raises(ValueError, match=r"no such file in the package; it has sklearn/datasets/data/iris.csv$"):
        read(PackageSource(**{**IRIS, "file": "iris.csv"}), Path())
    with pytest.raises(ValidationError, match=r"unsupported file type 'iris.pkl'; use one of .jsonl, .csv"):
        PackageSource(**{**IRIS, "file": "iris.pkl"})
