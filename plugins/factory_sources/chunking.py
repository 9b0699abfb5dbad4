"""Blocks of a document put together to passages of a size, none of them across a heading."""

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
    """A passage: where it begins, the headings that it stands under, outermost first, and its text."""

    line: int
    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class _ChunkPiece:
    """What is not cut further; `before` parts it from the piece before."""

    line: int
    text: str
    tokens: int
    separator: str


def count_approximate_tokens(text: str) -> int:
    """The size of a text: words, signs, and each character of Chinese, Japanese and Korean.

    A model's tokenizer makes about four tokens of three of these; none is loaded to read documents.
    """
    return sum(1 for _ in CHUNK_TOKEN_PATTERN.finditer(text))


def split_into_passages(blocks: Iterable[DocumentBlock], most: int) -> Iterator[Passage]:
    """Passages of at most `most` tokens. Blocks stay whole where they fit, then sentences, then runs of words."""
    path: list[DocumentBlock] = []
    held: list[_ChunkPiece] = []
    for block in blocks:
        if block.level:
            yield from _join_passage(held, path)
            held = []
            path = [*(above for above in path if above.level < block.level), block]
            continue
        for piece in _split_block(block, most):
            if held and sum(one.tokens for one in held) + piece.tokens > most:
                yield from _join_passage(held, path)
                held = []
            held.append(piece)
    yield from _join_passage(held, path)


def _join_passage(pieces: list[_ChunkPiece], path: list[DocumentBlock]) -> Iterator[Passage]:
    if pieces:
        text = pieces[0].text + "".join(piece.separator + piece.text for piece in pieces[1:])
        yield Passage(pieces[0].line, tuple(block.text for block in path if block.text), text)


def _split_block(block: DocumentBlock, most: int) -> Iterator[_ChunkPiece]:
    size = count_approximate_tokens(block.text)
    if size <= most:
        yield _ChunkPiece(block.line, block.text, size, "\n\n")
        return
    before = "\n\n"
    for start, end in _find_text_spans(block.text, most):
        text = block.text[start:end]
        yield _ChunkPiece(block.line + block.text.count("\n", 0, start), text, count_approximate_tokens(text), before)
        after = block.text[end : end + 1]
        before = after if after.isspace() else ""


def _find_text_spans(text: str, most: int) -> Iterator[tuple[int, int]]:
    """Where to cut a text that is too long: after sentences and lines, and within one that is too long itself."""
    start = 0
    ends = [(match.start(), match.end()) for match in SENTENCE_END_PATTERN.finditer(text)]
    for end, after in [*ends, (len(text), len(text))]:
        if text[start:end].strip():
            yield from _split_long_span(text, start, end, most)
        start = after


def _split_long_span(text: str, start: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    found = list(CHUNK_TOKEN_PATTERN.finditer(text, start, end))
    for place in range(0, len(found), most):
        last = place + most >= len(found)
        yield (start if place == 0 else found[place].start()), (end if last else found[place + most - 1].end())
