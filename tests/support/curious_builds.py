"""Builds of the toy whose plugins speak to others, with every socket written down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import toy_builds as builds
from places import PACKAGES, SUPPORT

from factory.llm import LEDGER_FILE, read_ledger

CURIOUS, AUDITED = PACKAGES / "curious", SUPPORT / "audited"


def environment(folder: Path) -> dict[str, str]:
    """What a build needs to find the plugins, and to write its sockets down."""
    path = os.pathsep.join([str(AUDITED), str(CURIOUS), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "SOCKET_LOG": str(folder / "sockets.log")}


def build(spec: Path, home: Path, *arguments: str, **more: str) -> tuple[int, list[str]]:
    """A build to its end."""
    return builds.build(spec, home, *arguments, **environment(spec.parent), **more)


def sockets(spec: Path) -> list[str]:
    """What all processes of the builds did with sockets."""
    log = spec.parent / "sockets.log"
    return log.read_text().splitlines() if log.exists() else []


def asking(spec: Path, url: str, *lines: str, **fields: Any) -> Path:
    """The toy's spec with the teacher behind an endpoint, asked to retell rows; `lines` are added to its end."""
    block = {"kind": "retold", **fields}
    endpoint = f"{{model: big, base_url: {url!r}, concurrency: 4, price_in: 100000, price_out: 100000}}"
    text = spec.read_text().replace("  student: ./base\n", f"  student: ./base\n  teacher: {endpoint}\n")
    text = text.replace("data:\n", f"data:\n  synthesize: [{block}]\n")
    spec.write_text("\n".join([text, *lines, ""]))
    return spec


def ledger(home: Path) -> list[dict[str, Any]]:
    """Every line of the ledger."""
    return list(read_ledger(home / LEDGER_FILE))


def retold(body: dict[str, Any]) -> str:
    """The same text in other words, as far as counting words goes."""
    return str(body["messages"][-1]["content"]).removeprefix("Retell: ") + " retold"
