"""One fact, one word; one line for a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import (
    BOTH,
    CONNECT,
    HTTP,
    TLS,
    alert,
    broken,
    network,
    quick,
    silent,
    status,
    unanswered,
    welcomed,
)
from zerotrust.contract import Ask, Ending, Fact, Outcome
from zerotrust.core.reading import describe, printable, reading


@pytest.mark.parametrize(
    ("ask", "fact", "word"),
    [
        (CONNECT, network(Outcome.OPEN), "network:Open"),
        *((CONNECT, network(each), f"network:{each}") for each in Outcome),
        *((BOTH, network(each), f"network:{each}") for each in Outcome if each is not Outcome.OPEN),
        (TLS, network(Outcome.OPEN), "network:Failed"),
        (HTTP, network(Outcome.OPEN), "network:Failed"),
        (TLS, welcomed(), "tls:ticket"),
        (TLS, silent(), "tls:silent"),
        (TLS, alert("unknown_ca"), "tls:unknown_ca"),
        (TLS, alert("unknown_ca", asked=False), "handshake:unknown_ca"),
        (TLS, broken(Ending.RESET), "handshake:reset"),
        (TLS, broken(Ending.NONE), "handshake:failed"),
        (BOTH, alert("bad_certificate"), "tls:bad_certificate"),
        (BOTH, silent(), "tls:silent"),
        (BOTH, status(403), "http:403"),
        (BOTH, unanswered(Ending.CLOSED), "http:closed"),
        (HTTP, status(401, tls=False), "http:401"),
        (HTTP, status(0, tls=False), "http:silent"),
    ],
)
def test_a_fact_reads_as_where_it_ended_and_how(ask: Ask, fact: Fact, word: str) -> None:
    assert reading(ask, fact) == word


@pytest.mark.parametrize(
    ("ask", "fact", "text"),
    [
        (CONNECT, network(Outcome.TIMED_OUT), "connection TimedOut"),
        (BOTH, alert("unknown_ca"), "TLS unknown_ca"),
        (BOTH, alert("protocol_version", asked=False), "TLS protocol_version before a certificate was asked for"),
        (BOTH, status(403, body="<b>no</b>"), "HTTP 403 '.b.no./b.'"),
    ],
)
def test_a_fact_is_described_in_one_line(ask: Ask, fact: Fact, text: str) -> None:
    assert describe(ask, fact) == text


@quick
@given(st.text(), st.integers(0, 40))
def test_printable_text_is_short_and_obeyed_by_nobody(text: str, limit: int) -> None:
    shown = printable(text, limit)

    assert len(shown) <= limit
    assert shown.isprintable()
    assert not set(shown) & set("<>&`")
