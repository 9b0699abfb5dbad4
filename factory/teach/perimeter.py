"""Who may be spoken to: in a stage, the hosts that its spec names, and none else; between stages, nobody.

Python says so itself, by its audit events (PEP 578), whatever library opens the connection. It is a guard against
accidents, not against malice: a plugin runs with all rights, and processes that it starts are not heard.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from factory.errors import UnavailableError

Port = int | None
"""A port, or None for all."""
LOCAL = frozenset({"AF_UNIX", "AF_NETLINK"})
"""Families of sockets that lead to no other machine."""
FETCH = "factory.fetch"
"""The audit event with which our own code says that a process it starts will use the network."""


class DeniedError(UnavailableError, OSError):
    """A host that no spec names. It is an OSError, as what a firewall does is: libraries know how to go on without."""


@dataclass
class Perimeter:
    """What one stage may reach; `replay` says why it is nothing. `heard` are the denials, each once."""

    where: str
    named: frozenset[str] = frozenset()
    replay: bool = False
    ports: dict[str, set[Port]] = field(default_factory=lambda: defaultdict(set))
    known: dict[str, set[Port]] = field(default_factory=lambda: defaultdict(set))
    heard: dict[str, DeniedError] = field(default_factory=dict)

    @classmethod
    def of(cls, where: str, hosts: Sequence[str], replay: bool) -> Perimeter:
        """The perimeter of hosts given as `host`, `host:port`, `[v6]:port` or `.suffix`; a proxy that the environment
        names is within when any host is."""
        hosts = [] if replay else list(hosts)
        made = cls(where, frozenset(hosts), replay)
        for entry in [*hosts, *(_proxies() if hosts else ())]:
            parts = urlsplit(f"//{entry}")
            made.ports[str(parts.hostname or entry).lower()].add(parts.port)
        return made

    def may_name(self, host: str) -> set[Port]:
        """The ports on which a host may be spoken to; none when it may not."""
        host = host.lower().rstrip(".")
        found = set(self.ports.get(host, ()))
        for entry, ports in self.ports.items():
            if entry.startswith(".") and host.endswith(entry):
                found |= ports
        return found

    def may_reach(self, host: str, port: Port) -> bool:
        """Whether a connection may go there; an address is judged by the names that led to it."""
        ports = self.may_name(host) | self.known.get(host, set())
        return None in ports or port in ports

    def deny(self, what: str) -> DeniedError:
        """The one line for a person."""
        if self.replay:
            text = f"{who()} tried to reach {what}, and --replay has the network off; build once without it"
        else:
            text = (
                f"{who()} tried to reach {what}, which the spec does not name, so it was denied; "
                "name it as the base_url of an endpoint, or leave the plugin out"
            )
        return self.heard.setdefault(what, DeniedError(text))


_now: Perimeter | None = None
_acting: list[str] = []


def who() -> str:
    """Who is at work: the plugin, else the stage."""
    return _acting[-1] if _acting else _now.where if _now else "the factory"


@contextmanager
def acting(plugin: str) -> Iterator[None]:
    """Name the plugin that is at work, for whoever must be told about it."""
    _acting.append(plugin)
    try:
        yield
    finally:
        _acting.remove(plugin)


@contextmanager
def within(where: str, hosts: Sequence[str], *, replay: bool = False) -> Iterator[Perimeter]:
    """Let this process reach these hosts and no other, until the end."""
    global _now
    before, _now = _now, Perimeter.of(where, hosts, replay)
    try:
        yield _now
    finally:
        _now = before


def install() -> None:
    """Listen, for the rest of this process. Nothing is denied before the first `within`, or `close`."""
    if socket.getaddrinfo is not _resolved:
        sys.addaudithook(_hear)
        socket.getaddrinfo = _resolved


def close(where: str) -> None:
    """Deny everything until a stage begins, and whenever none is at work."""
    global _now
    _now = Perimeter(where)


def denied(error: BaseException | None) -> DeniedError | None:
    """The denial that an error comes from, however libraries have wrapped it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, DeniedError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _proxies() -> list[str]:
    """`host:port` of every proxy that the environment names: what is said to others goes through it."""
    urls = [url if "://" in url else f"//{url}" for scheme, url in getproxies().items() if scheme != "no"]
    return [place for url in urls if (place := urlsplit(url).netloc.rpartition("@")[2])]


_lookup = socket.getaddrinfo


def _resolved(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    """`socket.getaddrinfo`, remembering the addresses of a host that may be spoken to."""
    found = _lookup(host, port, *args, **kwargs)
    if _now is not None and (ports := _now.may_name(_text(host))):
        for *_, address in found:
            _now.known[str(address[0])] |= ports
    return found


def _hear(event: str, args: tuple[Any, ...]) -> None:
    judge = _EVENTS.get(event)
    if judge is not None and _now is not None:
        judge(_now, args)


def _named(now: Perimeter, args: tuple[Any, ...]) -> None:
    """A name is looked up. Addresses pass: whoever connects to one is heard then."""
    host = _text(args[0])
    if host and not _address(host) and not now.may_name(host):
        raise now.deny(host)


def _reached(now: Perimeter, args: tuple[Any, ...]) -> None:
    """A connection is opened, or a datagram sent."""
    connection, address = args[0], args[1]
    if address is None or connection.family.name in LOCAL:
        return
    if not isinstance(address, tuple) or len(address) < 2:
        raise now.deny(f"{address!r}")
    host, port = _text(address[0]), address[1]
    if not now.may_reach(host, port):
        raise now.deny(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def _fetched(now: Perimeter, args: tuple[Any, ...]) -> None:
    if args[0] not in now.named:
        raise now.deny(args[0])


_EVENTS: dict[str, Callable[[Perimeter, tuple[Any, ...]], None]] = {
    "socket.connect": _reached, "socket.sendto": _reached, "socket.sendmsg": _reached,
    "socket.getaddrinfo": _named, "socket.gethostbyname": _named, "socket.gethostbyaddr": _named, FETCH: _fetched,
}


def _text(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host or "")


def _address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
