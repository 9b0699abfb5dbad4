"""Writes down what every Python process does with sockets, from its first moment: `SOCKET_LOG` names the file.

It is apart from the perimeter that the tests are about, and hears first.
"""

import os
import sys

LOG = os.environ.get("SOCKET_LOG", "")


def _hear(event: str, arguments: tuple) -> None:
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        with open(LOG, "a") as file:
            file.write(f"{event} {arguments[-1] if event in ('socket.connect', 'socket.sendto') else arguments[0]}\n")


if LOG:
    sys.addaudithook(_hear)
