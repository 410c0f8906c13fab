"""What operator and probe say to each other: one plan goes in, one JSON line comes out for each thing seen.

The only module both programs share. Standard library only, so that a probe starts in tens of milliseconds.
The probe reports; it never judges. Times are Unix seconds, durations are seconds, unless a name says otherwise.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

VERSION = 1
MAX_LINE_BYTES = 16_384
"""Longest line a probe may print; a longer one is not a line of ours."""
PLAN_FILE = "plan.json"
"""Key of the plan in the probe's Secret; each credential is another key, ``<name>.pem``, certificates then key."""
CONNECT_TIMEOUT = 1.2
"""Seconds for a connection to open: long enough for one lost SYN, sent again after a second (RFC 6298)."""
KNOCK_TIMEOUT = 0.4
"""Seconds for one of several connections, none of which is expected to open: each has a first SYN of its own."""
MAX_BODY_BYTES = 512
MAX_HEADERS = 32
MAX_HEADER_BYTES = 256


class Outcome(StrEnum):
    """How an attempt to open a connection ended."""

    OPEN = "Open"
    REFUSED = "Refused"
    TIMED_OUT = "TimedOut"
    PROHIBITED = "Prohibited"  # ICMP: administratively prohibited or unreachable
    UNRESOLVED = "Unresolved"
    FAILED = "Failed"  # the tool itself could not try


class Ending(StrEnum):
    """How a conversation ended when it ended before its answer was complete."""

    NONE = ""
    CLOSED = "closed"
    RESET = "reset"
    TIMED_OUT = "timed-out"
    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    FAILED = "failed"


class Cadence(StrEnum):
    """When an ask is tried."""

    CONTROL = "control"  # before and after every round, and at the plan's interval between rounds
    ROUND = "round"  # once a round
    ONCE = "once"  # once a round until it got in, then never again: a write that must not be repeated


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS as the client offers it; ``credential`` names ``<credential>.pem``, None presents no certificate.

    ``patience``: seconds to wait for the server's word after the handshake before a request is written. A TLS 1.3
    server judges a certificate only then, and a write can destroy its alert; a good certificate need not wait.
    ``newest``: the newest version offered, as OpenSSL names it, and with it everything older that is known; empty:
    TLS 1.2 and newer. ``ciphers``: OpenSSL's cipher string for TLS 1.2 and older. ``key``: the credential whose key
    signs in place of the certificate's own (RFC 8446 section 4.4.3).
    """

    sni: str
    credential: str | None = None
    patience: float = 0.3
    newest: str = ""
    ciphers: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP/1.1 request, its target sent byte for byte; ``success`` holds the statuses that mean *got in*."""

    method: str
    target: str
    host: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    success: tuple[int, ...] = tuple(range(200, 300))


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to try: connect, then TLS if ``tls``, then a request if ``request``; all within ``timeout``."""

    id: str
    address: str
    port: int
    cadence: Cadence
    timeout: float = CONNECT_TIMEOUT
    tls: Tls | None = None
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Serve:
    """Doors that let everybody in: what a canary offers (TLS or plaintext, by the first byte; 200 to all)."""

    ports: tuple[int, ...]
    credential: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one probe pod does; ``place`` is whose place in the network it takes."""

    run: str
    place: str
    asks: tuple[Ask, ...]
    lifetime: float
    """Seconds after which the probe stops by itself."""
    listen: int
    """The probe's own port, where the kubelet's startup probe must reach it."""
    interval: float = 0.25
    """Seconds between controls while nothing else is under way; a fifth of it until the first one got in."""
    pause: float = 1.0
    """Seconds between the end of a round and the start of the next."""
    workers: int = 8
    serve: Serve | None = None
    beat: float = 0.1
    """Seconds between attempts of bare connections, at first."""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class TlsSeen:
    """What the handshake and the first read after it showed.

    ``asked``: a CertificateRequest arrived. ``finished``: the client's side of the handshake is complete, which in
    TLS 1.3 says nothing of the client certificate (RFC 8446 section 4.4.2.4). ``accepted``: afterwards the server
    went on (``ticket`` or ``data``; ``finished`` in TLS 1.2, where the handshake itself says it). ``alert``: name
    of the fatal alert that arrived, as in RFC 8446 section 6. ``certificates``: SHA-256 (hex) of each certificate
    shown, leaf first; the bytes come in a ``Shown`` line. ``withheld``: the client's own library did not present
    the certificate, so that no answer says a thing of it.
    """

    finished: bool
    asked: bool
    version: str = ""
    accepted: str = ""
    alert: str = ""
    ended: Ending = Ending.NONE
    certificates: tuple[str, ...] = ()
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class HttpSeen:
    """The answer to a request: ``status`` 0 when none came; ``tls`` when TLS bytes answered a plaintext request."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    ended: Ending = Ending.NONE
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """What one attempt at an ask showed; ``attempt`` counts from 0 for each ask."""

    ask: str
    attempt: int
    started: float
    ended: float
    outcome: Outcome
    tls: TlsSeen | None = None
    http: HttpSeen | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate some server showed, once for each distinct one: SHA-256 in hex, DER in base64."""

    sha256: str
    der: str


@dataclass(frozen=True, slots=True)
class Hello:
    """The probe's first line: who it is and how many asks it was given."""

    place: str
    asks: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a probe's output; ``number`` counts from 0 without gaps, exactly one of the rest is set."""

    run: str
    number: int
    hello: Hello | None = None
    fact: Fact | None = None
    shown: Shown | None = None
    version: int = VERSION


def got_in(ask: Ask, fact: Fact) -> bool:
    """Whether an attempt passed everything its ask went through."""
    if fact.outcome is not Outcome.OPEN:
        return False
    if ask.request is not None:
        return fact.http is not None and fact.http.status in ask.request.success
    if ask.tls is not None:
        return fact.tls is not None and fact.tls.finished and bool(fact.tls.accepted)
    return True


def dump(message: Plan | Line) -> str:
    """One line of JSON, fields that hold nothing left out."""
    return json.dumps(_bare(dataclasses.asdict(message)), separators=(",", ":"), ensure_ascii=True)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_bare(item) for item in value]
    return value


def load_plan(text: str) -> Plan:
    """The plan of a probe's Secret. Errors: ValueError for another version or a shape that is not a plan."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError(f"plan version {data['version']}, this probe speaks {VERSION}")
        serve = data.pop("serve", None)
        asks = tuple(_ask(item) for item in data.pop("asks"))
        return Plan(**data, asks=asks, serve=_serve(serve) if serve else None)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a plan: {error}") from error


def _ask(data: Mapping[str, Any]) -> Ask:
    fields = dict(data)
    tls, request = fields.pop("tls", None), fields.pop("request", None)
    if request is not None:
        headers = tuple((name, value) for name, value in request.get("headers", ()))
        request = Request(**{**request, "headers": headers, "success": tuple(request["success"])})
    fields["cadence"] = Cadence(fields["cadence"])
    return Ask(**fields, tls=Tls(**tls) if tls else None, request=request)


def _serve(data: Mapping[str, Any]) -> Serve:
    return Serve(ports=tuple(data["ports"]), credential=data["credential"])
