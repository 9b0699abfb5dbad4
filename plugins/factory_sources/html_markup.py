"""Simplifies HTML before it is parsed, so that parsing takes time in proportion to its length.

Python's parser reads to the end of the text for each construct that is not closed, and tries its patterns for
attributes again and again. Here each character is looked at a fixed number of times: attributes and comments are left
out, and a mark that begins nothing becomes text. Lines stay where they are.
"""

from __future__ import annotations

import re

TAG_NAME_PATTERN = re.compile(r"/?[A-Za-z][^\s/>]{0,63}")
RAW_TEXT_TAGS = frozenset({"script", "style"})
"""Tags whose content is no markup up to their own closing tag."""
MAX_DECLARATION_LENGTH = 512
QUOTE_PATTERN = re.compile(r"[\"'>]")
MAX_TAG_LENGTH = 1 << 20
"""Characters within which a quoted value must end: images are written into attributes."""


def simplify_markup(text: str) -> str:
    """Return HTML with the same visible text and lines, of tags without attributes."""
    parts: list[str] = []
    place, has_comment_end = 0, True
    while (start := text.find("<", place)) >= 0:
        parts.append(text[place:start])
        name = TAG_NAME_PATTERN.match(text, start + 1)
        if text.startswith("<!--", start):
            end = text.find("-->", start + 4) if has_comment_end else -1
            has_comment_end, end = end >= 0, end + 3 if end >= 0 else -1
            markup = ""
        else:
            end = _find_tag_end(text, start) if name or text[start + 1 : start + 2] in ("!", "?") else start
            markup = _rewrite_tag(text[start:end], name[0] if name else "")
        if end < 0 and name:  # a tag that is never closed hides the rest, as in browsers
            return "".join(parts)
        if end <= start:
            parts.append("&lt;")
            place = start + 1
            continue
        parts += [markup, "\n" * text.count("\n", start, end)]
        place = end
        if name and name[0].lower() in RAW_TEXT_TAGS:
            place = _find_raw_end(text, end, name[0])
            parts.append("\n" * text.count("\n", end, place))
    return "".join([*parts, text[place:]])


def _find_tag_end(text: str, start: int) -> int:
    """Return the place behind the `>` that ends a tag, outside of quoted values; -1 if there is none.

    A quote counts where a value may begin; if it is never closed, the first `>` ends the tag.
    """
    first, quote = text.find(">", start), ""
    if first < 0:
        return -1
    for found in QUOTE_PATTERN.finditer(text, start + 1, start + MAX_TAG_LENGTH):
        mark, before = found[0], text[found.start() - 1]
        if quote:
            quote = "" if mark == quote else quote
        elif mark == ">":
            return found.end()
        elif before == "=" or before.isspace():
            quote = mark
    return first + 1


def _rewrite_tag(tag: str, name: str) -> str:
    if name:
        return f"<{name}/>" if tag.endswith("/>") and not name.startswith("/") else f"<{name}>"
    return tag.replace("\n", " ") if len(tag) <= MAX_DECLARATION_LENGTH else ""


def _find_raw_end(text: str, place: int, name: str) -> int:
    """Return where the closing tag of a script or style begins, or the end of the text."""
    found = re.compile(f"</{re.escape(name)}", re.IGNORECASE).search(text, place)
    return found.start() if found else len(text)
