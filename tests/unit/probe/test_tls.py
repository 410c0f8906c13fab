"""What a TLS server does with a client's certificate, in both versions of TLS."""

import hashlib
import socket
import ssl
import struct
import time
import warnings
from pathlib import Path

import pytest

from tests.unit.probe.certificates import TLS_1_2, TLS_1_3, server_context
from tests.unit.probe.conftest import Try
from tests.unit.probe.servers import OK, answering, over_tls, read_head, resetting, serving, silent
from zerotrust.contract import Ending, Fact, Outcome, Request, Tls, TlsSeen
from zerotrust.probe.tls import NOT_PRESENTED

BOTH = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
GET = Request("GET", "/", "orders.test")
TRUSTED = Tls("orders.test", "trusted")


def seen(fact: Fact) -> TlsSeen:
    assert fact.outcome is Outcome.OPEN
    assert fact.tls is not None
    return fact.tls


def digests(file: Path) -> list[str]:
    """The SHA-256 of each certificate in a file."""
    pems = file.read_text().split("-----BEGIN PRIVATE KEY")[0].split("-----BEGIN")[1:]
    return [hashlib.sha256(ssl.PEM_cert_to_DER_cert(f"-----BEGIN{pem}")).hexdigest() for pem in pems]


@BOTH
@pytest.mark.parametrize(
    ("credential", "alert"),
    [
        (None, {TLS_1_2: "handshake_failure", TLS_1_3: "certificate_required"}),
        ("expired", "certificate_expired"),
        ("stranger", "unknown_ca"),
        ("wrong-usage", "unsupported_certificate"),
    ],
)
def test_a_refused_certificate_shows_the_servers_alert(
    secret: Path,
    try_ask: Try,
    version: ssl.TLSVersion,
    credential: str | None,
    alert: str | dict[object, str],
) -> None:
    with serving(over_tls(server_context(secret, version), answering())) as port:
        fact = try_ask(port, Tls("orders.test", credential), GET)

    tls = seen(fact)
    assert tls.alert == (alert if isinstance(alert, str) else alert[version])
    assert (tls.asked, tls.accepted, tls.ended) == (True, "", Ending.NONE)
    assert tls.finished is (version is TLS_1_3)
    assert fact.http is None
    assert fact.error == ""


@BOTH
def test_an_accepted_certificate_shows_it_at_once(secret: Path, try_ask: Try, version: ssl.TLSVersion) -> None:
    with serving(over_tls(server_context(secret, version), silent)) as port:
        fact = try_ask(port, TRUSTED)

    tls = seen(fact)
    assert tls.accepted == {TLS_1_2: "finished", TLS_1_3: "ticket"}[version]
    assert tls.version == {TLS_1_2: "TLSv1.2", TLS_1_3: "TLSv1.3"}[version]
    assert (tls.finished, tls.asked, tls.alert, tls.ended) == (True, True, "", Ending.NONE)
    assert fact.ended - fact.started < Tls("").patience


@BOTH
def test_a_server_that_asks_for_no_certificate_was_not_asking(
    secret: Path, try_ask: Try, version: ssl.TLSVersion
) -> None:
    context = server_context(secret, version, ssl.CERT_NONE)
    with serving(over_tls(context, answering())) as port:
        fact = try_ask(port, TRUSTED, GET)

    assert seen(fact).asked is False
    assert fact.http is not None
    assert fact.http.status == 200


def test_the_alert_is_never_lost_however_large_the_request(secret: Path, try_ask: Try) -> None:
    large = Request("POST", "/", "orders.test", body="x" * 500_000)
    with serving(over_tls(server_context(secret), answering())) as port:
        alerts = {seen(try_ask(port, Tls("orders.test", "stranger"), large)).alert for _ in range(200)}

    assert alerts == {"unknown_ca"}


def test_a_server_without_tickets_is_given_its_time_and_then_asked(secret: Path, try_ask: Try) -> None:
    heard: list[float] = []

    def answer(sock: socket.socket) -> None:
        began = time.monotonic()
        read_head(sock)
        heard.append(time.monotonic() - began)
        sock.sendall(OK)

    with serving(over_tls(server_context(secret, tickets=False), answer)) as port:
        fact = try_ask(port, TRUSTED, GET)

    assert heard[0] > Tls("").patience * 0.8
    assert (seen(fact).accepted, seen(fact).asked) == ("data", True)
    assert fact.http is not None
    assert fact.http.status == 200


def test_a_silent_server_without_tickets_and_without_a_request_has_accepted_nothing(secret: Path, try_ask: Try) -> None:
    with serving(over_tls(server_context(secret, tickets=False), silent)) as port:
        fact = try_ask(port, TRUSTED, timeout=0.4)

    assert (seen(fact).finished, seen(fact).accepted, seen(fact).ended) == (True, "", Ending.NONE)
    assert fact.ended - fact.started >= 0.4


def test_a_server_that_speaks_first_has_accepted(secret: Path, try_ask: Try) -> None:
    context = server_context(secret, tickets=False)
    with serving(over_tls(context, lambda sock: sock.sendall(b"220 ready\r\n"))) as port:
        assert seen(try_ask(port, TRUSTED)).accepted == "data"


def test_a_server_that_answers_before_it_is_asked_has_answered(secret: Path, try_ask: Try) -> None:
    context = server_context(secret, tickets=False)
    with serving(over_tls(context, lambda sock: sock.sendall(OK))) as port:
        fact = try_ask(port, TRUSTED, GET)

    assert fact.http is not None
    assert (fact.http.status, fact.http.body, fact.http.ended) == (200, "ok", Ending.NONE)


def test_the_chain_is_named_leaf_first(secret: Path, try_ask: Try) -> None:
    with serving(over_tls(server_context(secret), silent)) as port:
        shown = seen(try_ask(port, TRUSTED)).certificates

    assert list(shown) == digests(secret / "server.pem")
    assert len(shown) == 2


def test_the_server_is_told_the_name_it_is_asked_for_or_none(secret: Path, try_ask: Try) -> None:
    told: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(secret / "server.pem")
    context.sni_callback = lambda _sock, name, _context: told.append(name)
    with serving(over_tls(context, silent)) as port:
        try_ask(port, Tls("orders.shop.svc"))
        try_ask(port, Tls(""))

    assert told == ["orders.shop.svc", None]


def test_threads_do_not_mix_up_what_they_saw(secret: Path, try_ask: Try) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only this test needs it

    asking = server_context(secret)
    trusting = server_context(secret, verify=ssl.CERT_NONE)
    with serving(over_tls(asking, silent)) as a, serving(over_tls(trusting, silent)) as b:
        ports = [a, b] * 20
        with ThreadPoolExecutor(8) as pool:
            facts = list(pool.map(lambda port: try_ask(port, TRUSTED), ports))

    assert [seen(fact).asked for fact in facts] == [True, False] * 20


def _alert(number: int, level: int = 2) -> bytes:
    return b"\x15\x03\x03\x00\x02" + bytes([level, number])


@pytest.mark.parametrize(
    ("answer", "alert", "ended", "error"),
    [
        (b"", "", Ending.CLOSED, ""),
        (_alert(40), "handshake_failure", Ending.NONE, ""),
        (_alert(70), "protocol_version", Ending.NONE, ""),
        (_alert(112), "unrecognized_name", Ending.NONE, ""),
        (_alert(120), "no_application_protocol", Ending.NONE, ""),
        (_alert(200), "alert_200", Ending.NONE, ""),
        (_alert(112, level=1), "", Ending.CLOSED, ""),
        (_alert(0, level=1), "", Ending.CLOSED, ""),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "", Ending.MALFORMED, "WRONG_VERSION_NUMBER"),
        (b"\x16\x03\x03\x00\x04junk" * 40, "", Ending.MALFORMED, "UNEXPECTED_MESSAGE"),
    ],
)
def test_a_handshake_that_fails_says_how(try_ask: Try, answer: bytes, alert: str, ended: Ending, error: str) -> None:
    def treat(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(answer)

    with serving(treat) as port:
        fact = try_ask(port, TRUSTED, GET)

    assert (seen(fact).finished, seen(fact).alert, seen(fact).ended) == (False, alert, ended)
    assert fact.error == error
    assert fact.http is None


def test_an_alert_is_read_even_when_a_reset_follows_it(try_ask: Try) -> None:
    def treat(sock: socket.socket) -> None:
        sock.recv(1)  # the rest stays unread, so closing resets
        sock.sendall(_alert(49))

    with serving(treat) as port:
        alerts = {seen(try_ask(port, TRUSTED)).alert for _ in range(20)}

    assert alerts == {"access_denied"}


def test_a_reset_handshake_is_a_reset(try_ask: Try) -> None:
    with serving(resetting) as port:
        assert seen(try_ask(port, TRUSTED)).ended is Ending.RESET


def test_a_server_that_never_answers_times_out_in_the_asks_time(try_ask: Try) -> None:
    with serving(silent) as port:
        fact = try_ask(port, TRUSTED, timeout=0.2)

    assert seen(fact).ended is Ending.TIMED_OUT
    assert fact.ended - fact.started < 1


def test_a_handshake_message_without_end_is_given_up(try_ask: Try) -> None:
    def treat(sock: socket.socket) -> None:
        sock.recv(4096)
        fragment = bytes(16_000)
        record = b"\x16\x03\x03" + struct.pack(">H", len(fragment)) + fragment
        sock.sendall(b"\x16\x03\x03\x00\x04\x02\xff\xff\xff")  # a ServerHello of 16 MB
        while True:
            sock.sendall(record)

    with serving(treat) as port:
        fact = try_ask(port, TRUSTED)

    assert seen(fact).ended in (Ending.MALFORMED, Ending.TOO_LARGE)
    assert fact.ended - fact.started < 1


def test_a_credential_that_could_not_be_presented_is_told(secret: Path, try_ask: Try) -> None:
    # TLS 1.3 knows no signature with this curve, so OpenSSL presents no certificate at all.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(secret / "server.pem")
    context.load_verify_locations(secret / "good-ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    with serving(over_tls(context, answering())) as port:
        assert try_ask(port, TRUSTED, GET).error == ""
        assert try_ask(port, Tls("orders.test"), GET).error == ""
        assert try_ask(port, Tls("orders.test", "odd"), GET).error == NOT_PRESENTED


def test_a_credential_that_openssl_cannot_load_fails_its_ask_only(secret: Path, try_ask: Try) -> None:
    (secret / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with serving(silent) as port:
        fact = try_ask(port, Tls("orders.test", "broken"))

    assert fact.outcome is Outcome.FAILED
    assert fact.error.startswith("SSLError")


def test_a_certificate_too_large_to_be_printed_is_named_all_the_same(secret: Path, try_ask: Try) -> None:
    context = server_context(secret, verify=ssl.CERT_NONE, credential="large")
    with serving(over_tls(context, answering())) as port:
        fact = try_ask(port, Tls(""), GET)

    assert seen(fact).certificates[:1] == tuple(digests(secret / "large.pem"))
    assert fact.http is not None
    assert fact.http.status == 200


def lenient(secret: Path, ciphers: str = "DEFAULT", verify: ssl.VerifyMode = ssl.CERT_REQUIRED) -> ssl.SSLContext:
    """A server that still speaks TLS 1.0, and whatever ciphers it is told."""
    context = server_context.__wrapped__(secret, TLS_1_2, verify)
    context.set_ciphers(f"{ciphers}@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    return context


def test_old_versions_are_really_offered(secret: Path, try_ask: Try) -> None:
    offer = Tls("orders.test", "trusted", newest="TLSv1.1")
    with serving(over_tls(lenient(secret), answering())) as port:
        let_in = try_ask(port, offer, GET)
    with serving(over_tls(server_context(secret, TLS_1_2), answering())) as port:
        refused = try_ask(port, offer, GET)

    assert let_in.http is not None
    assert (let_in.http.status, seen(let_in).version, seen(let_in).accepted) == (200, "TLSv1.1", "finished")
    assert (seen(refused).finished, seen(refused).alert) == (False, "protocol_version")


@pytest.mark.parametrize(
    ("ciphers", "verify"), [("eNULL", ssl.CERT_REQUIRED), ("aNULL", ssl.CERT_NONE)], ids=["null", "anonymous"]
)
def test_ciphers_without_secrets_are_really_offered(
    secret: Path, try_ask: Try, ciphers: str, verify: ssl.VerifyMode
) -> None:
    offer = Tls("orders.test", "trusted", newest="TLSv1.2", ciphers=ciphers)
    with serving(over_tls(lenient(secret, "ALL:eNULL", verify), answering())) as port:
        let_in = try_ask(port, offer, GET)
    with serving(over_tls(server_context(secret, TLS_1_2), answering())) as port:
        refused = try_ask(port, offer, GET)

    assert let_in.http is not None
    assert let_in.http.status == 200
    assert (seen(refused).finished, seen(refused).alert) == (False, "handshake_failure")


@BOTH
def test_a_borrowed_certificate_is_shown_and_refused(secret: Path, try_ask: Try, version: ssl.TLSVersion) -> None:
    """Signed with the neighbour's key; with its own key the same client gets in."""
    with serving(over_tls(server_context(secret, version), answering())) as port:
        refused = try_ask(port, Tls("orders.test", "trusted", key="neighbour"), GET)
        let_in = try_ask(port, Tls("orders.test", "trusted", key="trusted"), GET)

    assert seen(refused).asked
    assert seen(refused).alert == "decrypt_error"
    assert refused.http is None
    assert let_in.http is not None
    assert let_in.http.status == 200
    assert seen(let_in).version == {TLS_1_2: "TLSv1.2", TLS_1_3: "TLSv1.3"}[version]
    assert seen(let_in).certificates == seen(try_trusted(secret, try_ask, version)).certificates


def try_trusted(secret: Path, try_ask: Try, version: ssl.TLSVersion) -> Fact:
    with serving(over_tls(server_context(secret, version), answering())) as port:
        return try_ask(port, TRUSTED, GET)


def test_a_server_that_asks_for_no_certificate_gets_no_borrowed_one(secret: Path, try_ask: Try) -> None:
    with serving(over_tls(server_context(secret, TLS_1_3, ssl.CERT_NONE), answering())) as port:
        fact = try_ask(port, Tls("orders.test", "trusted", key="neighbour"), GET)

    assert (seen(fact).asked, seen(fact).withheld) == (False, True)
