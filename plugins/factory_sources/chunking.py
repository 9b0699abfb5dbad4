"""Chunking: blocks of a document are joined to passages of limited size that never cross a heading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from factory_sources.document_blocks import DocumentBlock

CJK_CHARACTERS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
CHUNK_TOKEN_PATTERN = re.compile(rf"[{CJK_CHARACTERS}]|[^\W{CJK_CHARACTERS}]+|[^\w\s]")
SENTENCE_END_PATTERN = re.compile(r"(?<=[.!?؟…])\s+|(?<=[。！？])|\n")


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage: its first line, the headings above it from the outermost on, and its text."""

    line: int
    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class _ChunkPiece:
    """A piece that is not split further; `separator` joins it to the piece before."""

    line: int
    text: str
    tokens: int
    separator: str


def count_approximate_tokens(text: str) -> int:
    """Count words, punctuation marks, and single characters of Chinese, Japanese and Korean.

    A model's tokenizer makes about four tokens of three of these; loading one only to read documents is not worth it.
    """
    return sum(1 for _ in CHUNK_TOKEN_PATTERN.finditer(text))


def split_into_passages(blocks: Iterable[DocumentBlock], max_tokens: int) -> Iterator[Passage]:
    """Yield passages of at most `max_tokens`: whole blocks where they fit, else sentences, else runs of words."""
    headings: list[DocumentBlock] = []
    pieces: list[_ChunkPiece] = []
    for block in blocks:
        if block.level:
            yield from _join_passage(pieces, headings)
            pieces = []
            headings = [*(above for above in headings if above.level < block.level), block]
            continue
        for piece in _split_block(block, max_tokens):
            if sum(other.tokens for other in pieces) + piece.tokens > max_tokens:
                yield from _join_passage(pieces, headings)
                pieces = []
            pieces.append(piece)
    yield from _join_passage(pieces, headings)


def _join_passage(pieces: list[_ChunkPiece], headings: list[DocumentBlock]) -> Iterator[Passage]:
    if pieces:
        text = pieces[0].text + "".join(piece.separator + piece.text for piece in pieces[1:])
        yield Passage(pieces[0].line, tuple(heading.text for heading in headings if heading.text), text)


def _split_block(block: DocumentBlock, max_tokens: int) -> Iterator[_ChunkPiece]:
    size = count_approximate_tokens(block.text)
    if size <= max_tokens:
        yield _ChunkPiece(block.line, block.text, size, "\n\n")
        return
    before = "\n\n"  # pieces of one block keep the white space that was between them
    for start, end in _find_text_spans(block.text, max_tokens):
        text = block.text[start:end]
        yield _ChunkPiece(block.line + block.text.count("\n", 0, start), text, count_approximate_tokens(text), before)
        after = block.text[end : end + 1]
        before = after if after.isspace() else ""


def _find_text_spans(text: str, max_tokens: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of a long text: its sentences and lines, and pieces of those that are too long themselves."""
    start = 0
    ends = [(match.start(), match.end()) for match in SENTENCE_END_PATTERN.finditer(text)]
    for end, after in [*ends, (len(text), len(text))]:
        tokens = list(CHUNK_TOKEN_PATTERN.finditer(text, start, end))
        for first in range(0, len(tokens), max_tokens):
            piece_start = tokens[first].start() if first else start
            piece_end = tokens[first + max_tokens - 1].end() if first + max_tokens < len(tokens) else end
            yield piece_start, piece_end
        start = after
