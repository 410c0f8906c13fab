"""Every way in which opening a connection ends."""

import errno
import socket

import pytest

from tests.unit.probe.conftest import Try
from tests.unit.probe.servers import serving, silent
from zerotrust.contract import Outcome
from zerotrust.probe.tcp import outcome


def test_a_listening_port_is_open(try_ask: Try) -> None:
    with serving(silent) as port:
        fact = try_ask(port)

    assert (fact.outcome, fact.error, fact.tls, fact.http) == (Outcome.OPEN, "", None, None)
    assert 0 <= fact.ended - fact.started < 1


def test_a_port_nobody_listens_on_is_refused(try_ask: Try) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert try_ask(bound.getsockname()[1]).outcome is Outcome.REFUSED


def test_packets_that_get_no_answer_time_out_at_the_asks_timeout(try_ask: Try) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:  # fill the backlog, after which Linux drops further SYNs
            sock.setblocking(False)
            sock.connect_ex(address)
        fact = try_ask(address[1], timeout=0.2)
        for sock in waiting:
            sock.close()

    assert fact.outcome is Outcome.TIMED_OUT
    assert 0.2 <= fact.ended - fact.started < 1


def test_an_unreachable_network_is_prohibited(try_ask: Try) -> None:
    assert try_ask(80, address="127.255.255.255").outcome is Outcome.PROHIBITED


@pytest.mark.parametrize("name", ["EACCES", "EPERM", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN"])
def test_what_icmp_and_local_filters_forbid_is_prohibited(name: str) -> None:
    assert outcome(OSError(getattr(errno, name), name)) is Outcome.PROHIBITED


@pytest.mark.parametrize("name", ["EADDRNOTAVAIL", "EMFILE", "ENOBUFS"])
def test_what_is_our_own_trouble_is_failed(name: str) -> None:
    assert outcome(OSError(getattr(errno, name), name)) is Outcome.FAILED


def test_a_name_that_does_not_resolve_is_unresolved(try_ask: Try) -> None:
    fact = try_ask(80, address="no..name")

    assert fact.outcome is Outcome.UNRESOLVED
    assert fact.error


def test_a_name_that_resolves_is_connected_to(try_ask: Try) -> None:
    with serving(silent) as port:
        assert try_ask(port, address="localhost").outcome is Outcome.OPEN


def test_an_ask_that_cannot_be_tried_is_a_fact_all_the_same(try_ask: Try) -> None:
    fact = try_ask(70_000)

    assert fact.outcome is Outcome.FAILED
    assert "OverflowError" in fact.error
