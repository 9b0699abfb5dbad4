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
LOCAL_FAMILIES = frozenset({"AF_UNIX", "AF_NETLINK"})
"""Families of sockets that lead to no other machine."""
FETCH_EVENT = "factory.fetch"
"""The audit event with which our own code says that a process it starts will use the network."""


class HostDeniedError(UnavailableError, OSError):
    """A host that no spec names. It is an OSError, as what a firewall does is: libraries know how to go on without."""


@dataclass
class NetworkPolicy:
    """What one stage may reach; `replay` says why it is nothing. `heard` are the denials, each once."""

    where: str
    declared_hosts: frozenset[str] = frozenset()
    replay: bool = False
    host_ports: dict[str, set[Port]] = field(default_factory=lambda: defaultdict(set))
    address_ports: dict[str, set[Port]] = field(default_factory=lambda: defaultdict(set))
    denials: dict[str, HostDeniedError] = field(default_factory=dict)

    @classmethod
    def from_hosts(cls, where: str, hosts: Sequence[str], replay: bool) -> NetworkPolicy:
        """The perimeter of hosts given as `host`, `host:port`, `[v6]:port` or `.suffix`; a proxy that the environment
        names is within when any host is."""
        hosts = [] if replay else list(hosts)
        made = cls(where, frozenset(hosts), replay)
        for entry in [*hosts, *(_list_proxies() if hosts else ())]:
            parts = urlsplit(f"//{entry}")
            made.host_ports[str(parts.hostname or entry).lower()].add(parts.port)
        return made

    def find_allowed_ports(self, host: str) -> set[Port]:
        """The ports on which a host may be spoken to; none when it may not."""
        host = host.lower().rstrip(".")
        found = set(self.host_ports.get(host, ()))
        for entry, ports in self.host_ports.items():
            if entry.startswith(".") and host.endswith(entry):
                found |= ports
        return found

    def can_reach(self, host: str, port: Port) -> bool:
        """Whether a connection may go there; an address is judged by the names that led to it."""
        ports = self.find_allowed_ports(host) | self.address_ports.get(host, set())
        return None in ports or port in ports

    def record_denial(self, what: str) -> HostDeniedError:
        """The one line for a person."""
        if self.replay:
            text = f"{get_current_actor()} tried to reach {what}, and --replay has the network off; build once without it"
        else:
            text = (
                f"{get_current_actor()} tried to reach {what}, which the spec does not name, so it was denied; "
                "name it as the base_url of an endpoint, or leave the plugin out"
            )
        return self.denials.setdefault(what, HostDeniedError(text))


_current_policy: NetworkPolicy | None = None
_actors: list[str] = []


def get_current_actor() -> str:
    """Who is at work: the plugin, else the stage."""
    return _actors[-1] if _actors else _current_policy.where if _current_policy else "the factory"


@contextmanager
def name_actor(plugin: str) -> Iterator[None]:
    """Name the plugin that is at work, for whoever must be told about it."""
    _actors.append(plugin)
    try:
        yield
    finally:
        _actors.remove(plugin)


@contextmanager
def enforce_network_policy(where: str, hosts: Sequence[str], *, replay: bool = False) -> Iterator[NetworkPolicy]:
    """Let this process reach these hosts and no other, until the end."""
    global _current_policy
    before, _current_policy = _current_policy, NetworkPolicy.from_hosts(where, hosts, replay)
    try:
        yield _current_policy
    finally:
        _current_policy = before


def install_audit_hook() -> None:
    """Listen, for the rest of this process. Nothing is denied before the first `within`, or `close`."""
    if socket.getaddrinfo is not _resolve_host:
        sys.addaudithook(_handle_audit_event)
        socket.getaddrinfo = _resolve_host


def deny_all_hosts(where: str) -> None:
    """Deny everything until a stage begins, and whenever none is at work."""
    global _current_policy
    _current_policy = NetworkPolicy(where)


def find_denial(error: BaseException | None) -> HostDeniedError | None:
    """The denial that an error comes from, however libraries have wrapped it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, HostDeniedError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _list_proxies() -> list[str]:
    """`host:port` of every proxy that the environment names: what is said to others goes through it."""
    urls = [url if "://" in url else f"//{url}" for scheme, url in getproxies().items() if scheme != "no"]
    return [place for url in urls if (place := urlsplit(url).netloc.rpartition("@")[2])]


_original_getaddrinfo = socket.getaddrinfo


def _resolve_host(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    """`socket.getaddrinfo`, remembering the addresses of a host that may be spoken to."""
    found = _original_getaddrinfo(host, port, *args, **kwargs)
    if _current_policy is not None and (ports := _current_policy.find_allowed_ports(_decode_host(host))):
        for *_, address in found:
            _current_policy.address_ports[str(address[0])] |= ports
    return found


def _handle_audit_event(event: str, args: tuple[Any, ...]) -> None:
    judge = _EVENT_CHECKS.get(event)
    if judge is not None and _current_policy is not None:
        judge(_current_policy, args)


def _check_lookup(now: NetworkPolicy, args: tuple[Any, ...]) -> None:
    """A name is looked up. Addresses pass: whoever connects to one is heard then."""
    host = _decode_host(args[0])
    if host and not _is_ip_address(host) and not now.find_allowed_ports(host):
        raise now.record_denial(host)


def _check_connection(now: NetworkPolicy, args: tuple[Any, ...]) -> None:
    """A connection is opened, or a datagram sent."""
    connection, address = args[0], args[1]
    if address is None or connection.family.name in LOCAL_FAMILIES:
        return
    if not isinstance(address, tuple) or len(address) < 2:
        raise now.record_denial(f"{address!r}")
    host, port = _decode_host(address[0]), address[1]
    if not now.can_reach(host, port):
        raise now.record_denial(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def _check_fetch(now: NetworkPolicy, args: tuple[Any, ...]) -> None:
    if args[0] not in now.declared_hosts:
        raise now.record_denial(args[0])


_EVENT_CHECKS: dict[str, Callable[[NetworkPolicy, tuple[Any, ...]], None]] = {
    "socket.connect": _check_connection, "socket.sendto": _check_connection, "socket.sendmsg": _check_connection,
    "socket.getaddrinfo": _check_lookup, "socket.gethostbyname": _check_lookup, "socket.gethostbyaddr": _check_lookup, FETCH_EVENT: _check_fetch,
}


def _decode_host(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host or "")


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
