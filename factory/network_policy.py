"""The network policy of a process: a stage reaches only the hosts that its spec names; between stages none.

Enforced through Python's audit events (PEP 578), whatever library opens the connection. It guards against accidents,
not malice: a plugin runs with full rights, and processes that it starts are not covered.
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
"""A port; None for all ports."""
LOCAL_FAMILIES = frozenset({"AF_UNIX", "AF_NETLINK"})
"""Socket families that do not leave this machine."""
FETCH_EVENT = "factory.fetch"
"""The audit event that our code raises before it starts a process that uses the network."""


class HostDeniedError(UnavailableError, OSError):
    """A host that the spec does not name. Also an OSError, like a firewall's, so that libraries can fall back."""


@dataclass
class NetworkPolicy:
    """The hosts that one stage may reach, none with `replay`. `denials` maps each denied target to its error."""

    where: str
    declared_hosts: frozenset[str] = frozenset()
    replay: bool = False
    host_ports: dict[str, set[Port]] = field(default_factory=lambda: defaultdict(set))
    address_ports: dict[str, set[Port]] = field(default_factory=lambda: defaultdict(set))
    denials: dict[str, HostDeniedError] = field(default_factory=dict)

    @classmethod
    def from_hosts(cls, where: str, hosts: Sequence[str], replay: bool) -> NetworkPolicy:
        """Return the policy of hosts given as `host`, `host:port`, `[v6]:port` or `.suffix`.

        If there is any host, the proxies of the environment are allowed too: requests may go through them.
        """
        hosts = [] if replay else list(hosts)
        policy = cls(where, frozenset(hosts), replay)
        urls = [url if "://" in url else f"//{url}" for scheme, url in getproxies().items() if scheme != "no"]
        proxies = [host for url in urls if (host := urlsplit(url).netloc.rpartition("@")[2])]
        for entry in [*hosts, *(proxies if hosts else ())]:
            parts = urlsplit(f"//{entry}")
            policy.host_ports[str(parts.hostname or entry).lower()].add(parts.port)
        return policy

    def find_allowed_ports(self, host: str) -> set[Port]:
        """Return the allowed ports of a host; empty when the host is denied."""
        host = host.lower().rstrip(".")
        allowed = set(self.host_ports.get(host, ()))
        for entry, ports in self.host_ports.items():
            if entry.startswith(".") and host.endswith(entry):
                allowed |= ports
        return allowed

    def can_reach(self, host: str, port: Port) -> bool:
        """Return whether a connection is allowed; an address is as good as the host names that resolved to it."""
        ports = self.find_allowed_ports(host) | self.address_ports.get(host, set())
        return None in ports or port in ports

    def record_denial(self, target: str) -> HostDeniedError:
        """Record a denied target and return its error, the same one each time."""
        reason = "which the spec does not name; add an endpoint with this base_url, or remove the plugin from the spec"
        if self.replay:
            reason = "but --replay has no network; build without it first"
        text = f"{get_current_actor()} tried to reach {target}, {reason}"
        return self.denials.setdefault(target, HostDeniedError(text))


_current_policy: NetworkPolicy | None = None
_actors: list[str] = []


def get_current_actor() -> str:
    """Return the name of the running plugin, else of the stage."""
    return _actors[-1] if _actors else _current_policy.where if _current_policy else "the factory"


@contextmanager
def name_actor(plugin: str) -> Iterator[None]:
    """Name the running plugin in errors and ledger lines."""
    _actors.append(plugin)
    try:
        yield
    finally:
        _actors.remove(plugin)


@contextmanager
def enforce_network_policy(where: str, hosts: Sequence[str], *, replay: bool = False) -> Iterator[NetworkPolicy]:
    """Within the context, let this process reach only these hosts."""
    global _current_policy
    previous, _current_policy = _current_policy, NetworkPolicy.from_hosts(where, hosts, replay)
    try:
        yield _current_policy
    finally:
        _current_policy = previous


def install_audit_hook() -> None:
    """Install the audit hook of this process; it denies nothing until a policy is set.

    An audit hook cannot be removed, so it is installed once.
    """
    if socket.getaddrinfo is not _resolve_host:
        sys.addaudithook(_handle_audit_event)
        socket.getaddrinfo = _resolve_host


def deny_all_hosts(where: str) -> None:
    """Deny all hosts until a stage begins, and between stages."""
    global _current_policy
    _current_policy = NetworkPolicy(where)


def find_denial(error: BaseException | None) -> HostDeniedError | None:
    """Return the denial among the causes of an error, however libraries wrapped it; None when there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, HostDeniedError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


_original_getaddrinfo = socket.getaddrinfo


def _resolve_host(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    """Wrap `socket.getaddrinfo`: remember the addresses of allowed hosts, since a connection names only an address."""
    addresses = _original_getaddrinfo(host, port, *args, **kwargs)
    if _current_policy is not None and (ports := _current_policy.find_allowed_ports(_decode_host(host))):
        for *_, address in addresses:
            _current_policy.address_ports[str(address[0])] |= ports
    return addresses


def _handle_audit_event(event: str, args: tuple[Any, ...]) -> None:
    if _current_policy is not None and (check := _EVENT_CHECKS.get(event)):
        check(_current_policy, args)


def _check_lookup(policy: NetworkPolicy, args: tuple[Any, ...]) -> None:
    """Deny the lookup of a host name. Numeric addresses pass: their connection is checked instead."""
    host = _decode_host(args[0])
    if host and not _is_ip_address(host) and not policy.find_allowed_ports(host):
        raise policy.record_denial(host)


def _check_connection(policy: NetworkPolicy, args: tuple[Any, ...]) -> None:
    """Deny a connection or a datagram."""
    connection, address = args[0], args[1]
    if address is None or connection.family.name in LOCAL_FAMILIES:
        return
    if not isinstance(address, tuple) or len(address) < 2:
        raise policy.record_denial(f"{address!r}")
    host, port = _decode_host(address[0]), address[1]
    if not policy.can_reach(host, port):
        raise policy.record_denial(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def _check_fetch(policy: NetworkPolicy, args: tuple[Any, ...]) -> None:
    if args[0] not in policy.declared_hosts:
        raise policy.record_denial(args[0])


_EVENT_CHECKS: dict[str, Callable[[NetworkPolicy, tuple[Any, ...]], None]] = {
    "socket.connect": _check_connection, "socket.sendto": _check_connection, "socket.sendmsg": _check_connection,
    "socket.getaddrinfo": _check_lookup, "socket.gethostbyname": _check_lookup, "socket.gethostbyaddr": _check_lookup,
    FETCH_EVENT: _check_fetch,
}


def _decode_host(host: Any) -> str:
    return host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host or "")


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
