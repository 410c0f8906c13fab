"""A canary's door lets everybody in, whatever they say."""

import socket
import ssl
from pathlib import Path

import pytest

from tests.unit.probe.conftest import Try
from tests.unit.probe.running import free_port
from zerotrust.contract import Outcome, Request, Serve, Tls
from zerotrust.probe.doors import open_doors


@pytest.fixture(scope="module")
def door(secret: Path) -> int:
    port = free_port()
    open_doors(Serve((port,), "server"), str(secret))
    return port


@pytest.mark.parametrize("tls", [None, Tls(""), Tls("orders.test", "trusted"), Tls("", "stranger")])
@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/", "orders.test"),
        Request("DELETE", "\\orders%00", "", (("X", "y"),)),
        Request("POST", "/orders", "orders.test", body="x" * 300_000),
    ],
)
def test_every_request_is_answered(door: int, try_ask: Try, tls: Tls | None, request_: Request) -> None:
    fact = try_ask(door, tls, request_)

    assert fact.http is not None
    assert (fact.http.status, fact.http.body, fact.http.ended) == (200, '{"door":"open"}', "")
    if tls is not None:
        assert fact.tls is not None
        assert (fact.tls.asked, bool(fact.tls.accepted)) == (False, True)


def test_a_connection_alone_is_open_and_holds_nobody_up(door: int, try_ask: Try) -> None:
    for _ in range(30):
        assert try_ask(door).outcome is Outcome.OPEN

    assert try_ask(door, Tls("")).tls is not None


def test_bytes_that_are_no_handshake_do_not_close_the_door(door: int, try_ask: Try) -> None:
    for garbage in (b"\x16\x03\x01\x00\x01\x00", b"\x16", b"GET", b"\x00" * 70_000):
        with socket.create_connection(("127.0.0.1", door), 2) as sock:
            sock.sendall(garbage)

    fact = try_ask(door, request=Request("GET", "/", "orders.test"))
    assert fact.http is not None
    assert fact.http.status == 200


def test_a_credential_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises((ssl.SSLError, OSError)):
        open_doors(Serve((free_port(),), "bad"), str(tmp_path))
