"""Requests go out byte for byte; whatever comes back ends in a fact, in time and in bounds."""

import socket
import ssl
from pathlib import Path

import pytest

from tests.unit.probe.certificates import server_context
from tests.unit.probe.conftest import Try
from tests.unit.probe.servers import (
    OK,
    answering,
    endless,
    over_tls,
    read_head,
    resetting,
    serving,
    silent,
)
from zerotrust.contract import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    Ending,
    Fact,
    HttpSeen,
    Outcome,
    Request,
    Tls,
)

GET = Request("GET", "/orders", "orders.test")


def seen(fact: Fact) -> HttpSeen:
    assert fact.outcome is Outcome.OPEN
    assert fact.http is not None
    return fact.http


def answer_to(try_ask: Try, answer: bytes, request: Request = GET) -> HttpSeen:
    with serving(answering(answer)) as port:
        return seen(try_ask(port, request=request))


def heard(try_ask: Try, request: Request) -> bytes:
    requests: list[bytes] = []

    def treat(sock: socket.socket) -> None:
        requests.append(read_head(sock))
        sock.sendall(OK)

    with serving(treat) as port:
        assert seen(try_ask(port, request=request)).status == 200
    return requests[0]


@pytest.mark.parametrize(
    "target",
    [
        "/x/%2e%2e/orders",
        "/x/../orders",
        "\\orders",
        "/orders%00",
        "/orders;/../public",
        "http://orders.test/orders",
        "//orders",
        "/orders\t",
        "/ord ers",
        "/\xc0\xaeorders",
        "*",
        "",
    ],
)
def test_a_target_arrives_byte_for_byte(try_ask: Try, target: str) -> None:
    line = heard(try_ask, Request("GET", target, "orders.test")).split(b"\r\n")[0]

    assert line == b"GET " + target.encode("latin-1") + b" HTTP/1.1"


def test_the_head_has_the_planned_order_and_what_the_plan_leaves_out(try_ask: Try) -> None:
    request = Request("POST", "/", "orders.test", (("X-B", "2"), ("X-A", "1")), body="é")

    assert heard(try_ask, request).split(b"\r\n") == [
        b"POST / HTTP/1.1",
        b"Host: orders.test",
        b"X-B: 2",
        b"X-A: 1",
        b"Connection: close",
        b"Content-Length: 2",
        b"",
        "é".encode(),
    ]


def test_what_the_plan_says_is_not_said_twice(try_ask: Try) -> None:
    headers = (("X-A", "1"), ("host", "other.test"), ("Content-length", "0"), ("connection", "keep-alive"))

    assert heard(try_ask, Request("PUT", "/", "orders.test", headers)).count(b"\r\n") == 6


def test_a_post_without_a_body_says_so(try_ask: Try) -> None:
    assert b"\r\nContent-Length: 0\r\n" in heard(try_ask, Request("POST", "/", "orders.test"))


def test_a_head_beyond_latin_1_fails_its_ask(try_ask: Try) -> None:
    with serving(answering()) as port:
        fact = try_ask(port, request=Request("GET", "/€", "orders.test"))

    assert fact.outcome is Outcome.FAILED
    assert "UnicodeEncodeError" in fact.error


def test_an_answer_is_told_with_its_headers_and_body(try_ask: Try) -> None:
    http = answer_to(try_ask, b"HTTP/1.1 403 No\r\nX-Reason: policy\r\nContent-Length: 3\r\n\r\nn\xffo")

    assert http == HttpSeen(403, (("x-reason", "policy"), ("content-length", "3")), "n\xffo")


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302, ""),
        (b"HTTP/1.1 204 None\r\n\r\n", 204, ""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200, "ab"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + OK, 200, "ok"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00", 101, ""),
    ],
)
def test_every_framing_ends_in_a_complete_answer(try_ask: Try, answer: bytes, status: int, body: str) -> None:
    http = answer_to(try_ask, answer)

    assert (http.status, http.body, http.ended) == (status, body, Ending.NONE)


def test_the_answer_to_a_head_request_has_no_body(try_ask: Try) -> None:
    def treat(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
        silent(sock)

    with serving(treat) as port:
        assert seen(try_ask(port, request=Request("HEAD", "/", "orders.test"))).ended is Ending.NONE


@pytest.mark.parametrize(
    ("answer", "status", "ended"),
    [
        (b"", 0, Ending.CLOSED),
        (b"\x00\xff\xfe garbage\r\n\r\n", 0, Ending.MALFORMED),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 0, Ending.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2", 0, Ending.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", 0, Ending.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 0, Ending.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", 200, Ending.CLOSED),
        (b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", 0, Ending.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 200, Ending.MALFORMED),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 90_000 + b"\r\n\r\n", 0, Ending.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"z" * 90_000, 200, Ending.TOO_LARGE),
    ],
)
def test_a_broken_answer_says_how_it_broke(try_ask: Try, answer: bytes, status: int, ended: Ending) -> None:
    http = answer_to(try_ask, answer)

    assert (http.status, http.ended, http.tls) == (status, ended, False)


def test_control_characters_in_headers_are_told_as_they_are(try_ask: Try) -> None:
    http = answer_to(try_ask, b"HTTP/1.1 200 OK\r\nX: \x1b[2Jred\x07\r\nContent-Length: 0\r\n\r\n")

    assert http.headers[0] == ("x", "\x1b[2Jred\x07")


def test_what_is_kept_of_an_answer_is_bounded(try_ask: Try) -> None:
    lines = b"".join(b"X-%d: " % number + b"v" * 300 + b"\r\n" for number in range(60))
    http = answer_to(try_ask, b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n" + b"b" * 3000)

    assert len(http.headers) == MAX_HEADERS
    assert {len(value) for _, value in http.headers} == {MAX_HEADER_BYTES}
    assert len(http.body) == MAX_BODY_BYTES
    assert http.ended is Ending.NONE


@pytest.mark.parametrize(
    ("start", "repeated", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096, 200),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 200),
        (b"", b"a", 0),
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_a_server_without_end_is_given_up(
    secret: Path, try_ask: Try, start: bytes, repeated: bytes, status: int, secure: bool
) -> None:
    treat = endless(start, repeated * 200)
    if secure:
        treat = over_tls(server_context(secret, verify=ssl.CERT_NONE), treat)
    with serving(treat) as port:
        fact = try_ask(port, Tls("") if secure else None, GET)

    assert (seen(fact).status, seen(fact).ended) in [(status, Ending.TOO_LARGE), (0, Ending.MALFORMED)]
    assert fact.ended - fact.started < 1.5


@pytest.mark.parametrize(
    ("start", "status"), [(b"HTTP/1.1 200 OK\r\n\r\n", 200), (b"HTTP/1.1 200 OK\r\nX: ", 0), (b"", 0)]
)
def test_a_server_that_drips_is_given_up_in_the_asks_time(try_ask: Try, start: bytes, status: int) -> None:
    def treat(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(start)
        sock.settimeout(0.01)
        for _ in range(100):
            sock.sendall(b"H")
            try:
                if not sock.recv(1):
                    return
            except TimeoutError:
                continue

    with serving(treat) as port:
        fact = try_ask(port, request=GET, timeout=0.2)

    assert (seen(fact).status, seen(fact).ended) in [(status, Ending.TIMED_OUT), (0, Ending.MALFORMED)]
    assert fact.ended - fact.started < 1


def test_a_server_that_never_answers_times_out(try_ask: Try) -> None:
    with serving(silent) as port:
        fact = try_ask(port, request=GET, timeout=0.2)

    assert (seen(fact).status, seen(fact).ended) == (0, Ending.TIMED_OUT)


def test_a_reset_is_told_from_an_end(try_ask: Try) -> None:
    with serving(resetting) as port:
        assert seen(try_ask(port, request=GET)).ended is Ending.RESET


@pytest.mark.parametrize("secure", [False, True])
def test_an_answer_to_a_request_only_half_read_is_heard(secret: Path, try_ask: Try, secure: bool) -> None:
    # The server refuses after the head and closes, with megabytes still coming.
    large = Request("POST", "/", "orders.test", body="x" * 4_000_000)
    treat = answering(b"HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n")
    if secure:
        treat = over_tls(server_context(secret, verify=ssl.CERT_NONE), treat)
    with serving(treat) as port:
        statuses = {seen(try_ask(port, Tls("") if secure else None, large)).status for _ in range(10)}

    # On a busy machine the reset that follows such a close may overtake the answer, which then is told as none.
    assert statuses - {0} == {401}


@pytest.mark.parametrize("record", [b"\x15\x03\x01\x00\x02\x02\x46", b"\x16\x03\x03\x00\x00"])
def test_tls_bytes_for_an_answer_to_plaintext_are_recognised(try_ask: Try, record: bytes) -> None:
    http = answer_to(try_ask, record)

    assert (http.status, http.tls) == (0, True)


def test_openssl_says_nothing_to_plaintext(secret: Path, try_ask: Try) -> None:
    with serving(over_tls(server_context(secret), answering())) as port:
        http = seen(try_ask(port, request=GET))

    assert (http.status, http.tls) == (0, False)
    assert http.ended in (Ending.RESET, Ending.CLOSED)
