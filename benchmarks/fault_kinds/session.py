"""A forked process that serves one cheap fault after the other: a fork for each would cost more than they do."""

from __future__ import annotations

import json
import os
import select
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from fault_kinds.isolated import MEMORY, PATIENCE, ForkedRun, enter_sandbox
from fault_kinds.world import World

CALLS_PER_PROCESS = 500
"""Calls after which a fresh process takes over, so that what one leaves behind does not build up for ever."""


def run_in_session(world: World, call: Callable[[str], Any], argument: str) -> ForkedRun:
    """Run a call on a text in the process that serves this call for all faults of a run."""
    name = call.__name__
    if name not in world.sessions:
        world.sessions[name] = ForkSession(call, world.folder / name)
    session: ForkSession = world.sessions[name]
    return session.run(argument)


@dataclass
class ForkSession:
    """Runs `call` on texts in a forked process, which is started anew where it hangs, dies or has served enough."""

    call: Callable[[str], Any]
    folder: Path
    """Its factory home, and what it writes to standard error."""
    process: int = 0
    requests: int = -1
    replies: int = -1
    calls: int = 0

    def run(self, argument: str) -> ForkedRun:
        """Return how the call on a text ended; its result must be JSON data."""
        if self.calls >= CALLS_PER_PROCESS:
            self.close()
        if not self.process:
            self._start()
        self.calls += 1
        os.truncate(self.folder / "session.err", 0)
        os.write(self.requests, json.dumps(argument).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            readable, _, _ = select.select([self.replies], [], [], PATIENCE)
            part = os.read(self.replies, 1 << 16) if readable else b""
            if not part:
                return self._describe_end(is_hang=not readable)
            reply += part
        value, status = json.loads(reply)
        return ForkedRun(value, self._read_errors(), status, False)

    def _describe_end(self, *, is_hang: bool) -> ForkedRun:
        errors, process = self._read_errors(), self.process
        if is_hang:
            os.kill(process, signal.SIGKILL)
        self._close_pipes()
        return ForkedRun(None, errors, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) or 1, is_hang)

    def _start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "session.err").touch()
        child_in, self.requests = os.pipe()
        self.replies, child_out = os.pipe()
        self.calls = 0
        if (process := os.fork()) == 0:
            os.close(self.requests)
            os.close(self.replies)
            self._serve(child_in, child_out)
        self.process = process
        os.close(child_in)
        os.close(child_out)

    def _serve(self, requests: int, replies: int) -> NoReturn:
        try:
            enter_sandbox(self.folder / "home", self.folder / "session.err", MEMORY)
            with os.fdopen(requests) as pipe:
                for line in pipe:
                    value, status = None, 0
                    try:
                        value = self.call(json.loads(line))
                    except BaseException:
                        traceback.print_exc()
                        status = 1
                    os.write(replies, json.dumps([value, status]).encode() + b"\n")
        finally:
            os._exit(0)

    def _read_errors(self) -> str:
        return (self.folder / "session.err").read_text(errors="replace")

    def _close_pipes(self) -> None:
        os.close(self.requests)
        os.close(self.replies)
        self.process = 0

    def close(self) -> None:
        """End the process."""
        if self.process:
            # It need not see its pipe close: other forks hold a copy of the other end.
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            self._close_pipes()
