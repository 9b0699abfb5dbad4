"""What a file is by its first bytes, so that a reader of another format can say what it was given."""

from __future__ import annotations

import json
from contextlib import suppress

HEAD_BYTES = 4096
"""Bytes that are read from the start of a file."""
UNPACK = "unpack it and name the unpacked file"
SIGNATURES = (
    (b"\x1f\x8b", f"compressed with gzip; {UNPACK}"),
    (b"BZh", f"compressed with bzip2; {UNPACK}"),
    (b"\xfd7zXZ\x00", f"compressed with xz; {UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"compressed with zstandard; {UNPACK}"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save the sheet as CSV"),
    (b"PAR1", "Parquet; use `kind: parquet`"),
    (b"ARROW1", "an Arrow file; save it as Parquet"),
    (b"SQLite format 3\x00", "a SQLite database; use `kind: sqlite`"),
    (b"%PDF-", "a PDF; extract its text first"),
    (b"\xff\xfe", "UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16; save it as UTF-8"),
)
"""First bytes of a file → what it is, and what to do."""
ARRAY_PROBLEM = "a JSON array where one object per line is wanted (JSONL); convert it, as by `jq -c '.[]' FILE`"
OBJECT_PROBLEM = "a JSON object of several lines where each is wanted on one line; convert it, as by `jq -c . FILE`"
CARRIAGE_RETURN_PROBLEM = "lines end in a carriage return alone (old Mac); save the file with line feeds (LF)"


def describe_binary_format(head: bytes) -> str:
    """Return what a file is that no text reader can read, and what to do; empty if it may be text."""
    known = next((text for signature, text in SIGNATURES if head.startswith(signature)), "")
    if not known and head.count(b"\x00") > len(head) // 10:  # a stray zero byte is a matter of its line
        return "UTF-16, or no text at all; save it as UTF-8"
    return known


def describe_json_layout(first_line: bytes) -> str:
    """Return why a file whose first line is not an object of its own is no JSONL, and what to do; empty if unknown."""
    line = first_line.strip()
    if b"\r" in line:
        return CARRIAGE_RETURN_PROBLEM
    if line[:1] == b"[":
        return ARRAY_PROBLEM
    if line == b"{" or (line[:1] == b"{" and line[-1:] == b","):
        return OBJECT_PROBLEM
    is_like_csv = line[:1] not in (b"{", b'"') and any(mark in line for mark in (b",", b";", b"\t"))
    remedy = "use `kind: csv`, or convert it to one JSON object per line"
    return f"this looks like CSV or TSV; {remedy}" if is_like_csv else ""


def suggest_kind(head: bytes) -> str:
    """Return what a text file looks like, and the kind of source for it, for readers of binary formats."""
    if known := describe_binary_format(head):
        return f"it is {known}"
    line = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
    with suppress(ValueError, RecursionError):
        if isinstance(json.loads(line), dict):
            return "it looks like JSONL; use `kind: jsonl`"
    if line[:1] == b"[" or line == b"{":
        return "it looks like JSON; convert it to one object per line and use `kind: jsonl`"
    if any(mark in line for mark in (b",", b";", b"\t")):
        return "it looks like CSV or TSV; use `kind: csv`"
    return "it looks like text" if line else "it is empty"
