"""Opening a connection, and the name of how that ended."""

from __future__ import annotations

import errno
import socket
import threading

from zerotrust.contract import Outcome
from zerotrust.probe.clock import now

MAX_ADDRESSES = 4
_PROHIBITED = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.ENOPROTOOPT,
    }
)
"""What Linux makes of ICMP messages that forbid (RFC 1122 section 4.2.3.9), and of a local filter."""


def connect(address: str, port: int, deadline: float) -> tuple[Outcome, socket.socket | None, str]:
    """The outcome, the socket if it is open, and an error text; an address may also be a name to resolve."""
    addresses, unresolved = ([address], "") if _numeric(address) else _resolve(address, deadline)
    result: tuple[Outcome, socket.socket | None, str] = (Outcome.UNRESOLVED, None, unresolved)
    for each in addresses[:MAX_ADDRESSES]:
        result = _connect(each, port, deadline)
        if result[1] is not None:
            break
    return result


def _connect(address: str, port: int, deadline: float) -> tuple[Outcome, socket.socket | None, str]:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A timeout of zero would mean something else, and a deadline that has passed still ends at once.
        sock.settimeout(max(deadline - now(), 0.001))
        sock.connect((address, port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except Exception as error:
        sock.close()
        if not isinstance(error, OSError):
            raise
        return outcome(error), None, str(error)
    return Outcome.OPEN, sock, ""


def outcome(error: OSError) -> Outcome:
    """What an error of connect(2) says about the network."""
    if isinstance(error, TimeoutError):
        return Outcome.TIMED_OUT
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET):
        return Outcome.REFUSED
    return Outcome.PROHIBITED if error.errno in _PROHIBITED else Outcome.FAILED


def _numeric(address: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address)
        except OSError:
            continue
        return True
    return False


class _Lookup:
    """A question to the resolver, which knows no timeout: who asks the same meanwhile waits for this one."""

    _under_way: dict[str, _Lookup] = {}
    _lock = threading.Lock()

    def __init__(self, host: str) -> None:
        self._host = host
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.addresses: list[str] = []
        self.error = ""

    @classmethod
    def of(cls, host: str) -> _Lookup:
        with cls._lock:
            lookup = cls._under_way.get(host)
            if lookup is None:
                lookup = cls._under_way[host] = cls(host)
                lookup.thread.start()
            return lookup

    def _ask(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
            self.addresses = [str(sockaddr[0]) for *_, sockaddr in found]
        except (OSError, UnicodeError) as error:
            self.error = str(error)
        with self._lock:
            del self._under_way[self._host]


def _resolve(host: str, deadline: float) -> tuple[list[str], str]:
    lookup = _Lookup.of(host)
    lookup.thread.join(max(deadline - now(), 0))
    if lookup.thread.is_alive():
        return [], "the resolver did not answer in time"
    return lookup.addresses, lookup.error
