"""The network policy of a process: a stage reaches only the hosts that its spec names; between stages none.

Enforced through Python's audit events (PEP 578), whatever library opens the connection. It guards against accidents,
not malice: a plugin runs with full rights, and processes that it starts are not covered.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from factory.errors import UnavailableError

Port = int | None
"""A port; None for all ports."""
LOCAL_FAMILIES = frozenset({"AF_UNIX", "AF_NETLINK"})
"""Socket families that do not leave this machine."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
PRIVATE_SUFFIXES = (".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa", ".test")
"""Names that no public server has (RFC 2606, 6762, 8375, and the usual ones of companies)."""
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

        The proxies of the environment that requests to these hosts go through are allowed too.
        """
        hosts = [] if replay else list(hosts)
        policy = cls(where, frozenset(hosts), replay)
        for entry in [*hosts, *(proxy for host in hosts for proxy in list_proxies(host))]:
            name, port = split_host(entry)
            policy.host_ports[name].add(port)
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
        with _bypass_proxies(hosts):
            yield _current_policy
    finally:
        _current_policy = previous


@contextmanager
def _bypass_proxies(hosts: Sequence[str]) -> Iterator[None]:
    """Within the context, tell all libraries and child processes not to reach private hosts through a proxy."""
    private = [*LOOPBACK_HOSTS, *(split_host(host)[0] for host in hosts if is_private_host(host))]
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    known = [part.strip() for value in before.values() if value for part in value.split(",") if part.strip()]
    if "*" not in known:  # which switches all proxies off, but only if it stands alone
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(dict.fromkeys([*known, *private]))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def split_host(entry: str) -> tuple[str, Port]:
    """Return name and port of `host`, `host:port` or `[v6]:port`, the name in lower case."""
    with suppress(ValueError):
        parts = urlsplit(f"//{entry}")
        return str(parts.hostname or entry).lower().rstrip("."), parts.port
    return entry.lower(), None  # also an address of IPv6 without brackets


def split_url_host(url: str) -> list[str]:
    """Return the host of a URL as the policy lists it, with its port if it has one; nothing for a path."""
    host = urlsplit(url).netloc.rpartition("@")[2] if "://" in url else ""
    return [host] if host else []


def is_loopback_host(entry: str) -> bool:
    """Whether a host is this machine itself."""
    name, _ = split_host(entry)
    address = _parse_address(name)
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")


def is_private_host(entry: str) -> bool:
    """Whether a host is this machine or one of its own network: a private address, or a name without a public domain.

    Names are not looked up: that would tell others about them.
    """
    name, _ = split_host(entry)
    if address := _parse_address(name):
        return not address.is_global
    return ("." not in name.lstrip(".") and " " not in name) or name.endswith(PRIVATE_SUFFIXES)


def find_proxy(scheme: str, entry: str) -> str:
    """Return the URL of the proxy that the environment has for a host; empty for none, and for private hosts."""
    from urllib.request import getproxies, proxy_bypass

    if is_private_host(entry) or proxy_bypass(entry):
        return ""
    proxies = getproxies()
    url = proxies.get(scheme) or proxies.get("all") or ""
    return url if "://" in url or not url else f"http://{url}"


def list_proxies(entry: str) -> list[str]:
    """Return the proxies, as `host:port`, that requests to a host may go through."""
    urls = [find_proxy(scheme, entry) for scheme in ("https", "http")]
    return list(dict.fromkeys(host for url in urls for host in split_url_host(url)))


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
    return _parse_address(host) is not None


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a numeric address, also in short and hexadecimal forms such as 127.1; None for a name."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host.partition("%")[0])
        return getattr(address, "ipv4_mapped", None) or address
    with suppress(OSError, ValueError):
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
    return None
