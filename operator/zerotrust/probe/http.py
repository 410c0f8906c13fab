"""HTTP/1.1 as a client: the request is written as the plan has it, the answer is read by h11.

h11 may refuse the request targets worth trying (odd bytes, backslashes, absolute form), so it is only told
that some request was made. Redirects are never followed, and there is one request to a connection.
"""

from __future__ import annotations

import h11

from zerotrust.contract import MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, Ending, HttpSeen, Request
from zerotrust.probe.wire import Channel, Flood, Garbled, Wire, ending

MAX_HEAD_BYTES = 32_768
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")  # alert and handshake, RFC 8446 section 5.1
_TOO_LARGE = 431


def encode(request: Request) -> bytes:
    """A request's bytes: the head in Latin-1, so that each character is one byte, the body in UTF-8.

    Added where the plan has none: Host (first), Connection: close, Content-Length (RFC 9110 section 8.6).
    Errors: UnicodeEncodeError for characters beyond Latin-1 in the head.
    """
    body = request.body.encode()
    planned = {name.lower() for name, _ in request.headers}
    headers = list(request.headers)
    if "host" not in planned:
        headers.insert(0, ("Host", request.host))
    if "connection" not in planned:
        headers.append(("Connection", "close"))
    expects_length = bool(body) or request.method in ("POST", "PUT", "PATCH")
    if expects_length and planned.isdisjoint(("content-length", "transfer-encoding")):
        headers.append(("Content-Length", str(len(body))))
    lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + body


def exchange(channel: Channel, request: Request, early: bytes = b"") -> HttpSeen:
    """Make a request and read its answer; ``early`` came before anything was written, so it belongs to it.

    Errors: UnicodeEncodeError, see ``encode``. Whatever the server does ends in a fact.
    """
    channel.write(encode(request))
    answer = _Answer(request.method, plaintext=isinstance(channel, Wire))
    ended = _follow(answer, channel, early)
    return HttpSeen(answer.status, answer.headers, bytes(answer.body).decode("latin-1"), ended, answer.tls)


def _follow(answer: _Answer, channel: Channel, early: bytes) -> Ending:
    data = early
    try:
        if data:
            answer.take(data)
        while not answer.complete:
            data = channel.read()
            answer.take(data)
    except h11.RemoteProtocolError as error:
        if not data:
            return Ending.CLOSED
        return Ending.TOO_LARGE if error.error_status_hint == _TOO_LARGE else Ending.MALFORMED
    except (OSError, Flood, Garbled) as error:
        return ending(error)
    return Ending.NONE


class _Answer:
    """An answer as far as it has arrived."""

    def __init__(self, method: str, plaintext: bool) -> None:
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        # An upgrade is proposed because h11 takes a 101 for an error otherwise.
        self._parser.send(
            h11.Request(
                method=method if method in ("HEAD", "CONNECT") else "GET",
                target="/",
                headers=[("Host", "-"), ("Connection", "close, upgrade"), ("Upgrade", "-")],
            )
        )
        self._parser.send(h11.EndOfMessage())
        self._start = b"" if plaintext else None
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.tls = False
        self.complete = False

    def take(self, data: bytes) -> None:
        """Take in the next bytes, ``b""`` at the end. Errors: h11.RemoteProtocolError."""
        if self._start is not None and len(self._start) < 2:
            self._start = (self._start + data)[:2]
            self.tls = self._start in _TLS_RECORDS
        self._parser.receive_data(data)
        while not self.complete:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                return
            self._take_event(event)

    def _take_event(self, event: object) -> None:
        match event:
            case h11.Response() | h11.InformationalResponse(status_code=101):
                self.status = event.status_code
                self.headers = tuple((_text(name), _text(value)) for name, value in list(event.headers)[:MAX_HEADERS])
            case h11.InformationalResponse():
                pass
            case h11.Data():
                self.body += event.data[: MAX_BODY_BYTES - len(self.body)]
            case _:  # the message's end, or another protocol after an upgrade or CONNECT
                self.complete = True


def _text(value: bytes) -> str:
    return value[:MAX_HEADER_BYTES].decode("latin-1")
