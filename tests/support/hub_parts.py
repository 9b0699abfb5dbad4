"""A hub of one dataset on this machine: as much of the protocol as fetching its files takes."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ROOT, API = "/datasets/owner/name/resolve/", "/api/datasets/owner/name/"


@contextmanager
def hub(files: Mapping[str, Mapping[str, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub that has owner/name with these files at each revision, and the paths that were asked for."""
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            code, body, head = answer(self.path.partition("?")[0], files)
            self.send_response(code)
            for name, value in {**head, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 (the library's name)

        def log_message(self, *_: object) -> None:
            """Nothing: `asked` remembers."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def answer(path: str, revisions: Mapping[str, Mapping[str, bytes]]) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of one request."""
    rest = path.removeprefix(ROOT) if path.startswith(ROOT) else path.removeprefix(API).partition("/")[2]
    revision, _, name = rest.partition("/")
    known = {commit(each): files for each, files in revisions.items()} | dict(revisions)
    if not path.startswith((ROOT, API)) or revision not in known:
        return 404, b"", {"X-Error-Code": "RevisionNotFound"}
    files, head = known[revision], {"X-Repo-Commit": revision if len(revision) == 40 else commit(revision)}
    if path.startswith(ROOT):
        found = files.get(name)
        missing = (404, b"", {**head, "X-Error-Code": "EntryNotFound"})
        return missing if found is None else (200, found, {**head, "ETag": f'"{digest(found)}"'})
    siblings = [{"rfilename": file} for file in files]
    about: Any = {"id": "owner/name", "sha": head["X-Repo-Commit"], "siblings": siblings, "tags": []}
    if path.startswith(f"{API}tree"):
        folders = {file.rpartition("/")[0] for file in files} - {""} if not name else set()
        about = [{"type": "directory", "path": folder, "oid": digest(b"")} for folder in sorted(folders)]
        about += [
            {"type": "file", "path": file, "size": len(content), "oid": digest(content)}
            for file, content in files.items() if file.rpartition("/")[0] == name
        ]
    return 200, json.dumps(about).encode(), {**head, "Content-Type": "application/json"}


def commit(revision: str) -> str:
    """The commit that a revision means."""
    return digest(revision.encode())


def digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
