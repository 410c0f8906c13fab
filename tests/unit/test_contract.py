"""What goes between operator and probe survives the way."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from zerotrust.contract import (
    Ask,
    Cadence,
    Ending,
    Fact,
    Hello,
    HttpSeen,
    Line,
    Outcome,
    Plan,
    Request,
    Serve,
    Shown,
    Tls,
    TlsSeen,
    dump,
    got_in,
    load_plan,
)

LINE = TypeAdapter(Line)
seconds = st.floats(allow_nan=False, allow_infinity=False)
pairs = st.lists(st.tuples(st.text(), st.text()), max_size=4).map(tuple)
requests = st.builds(Request, headers=pairs, success=st.lists(st.integers(100, 599), max_size=4).map(tuple))
asks = st.builds(Ask, timeout=seconds, tls=st.none() | st.builds(Tls), request=st.none() | requests)
plans = st.builds(
    Plan,
    asks=st.lists(asks, max_size=4).map(tuple),
    lifetime=seconds,
    interval=seconds,
    pause=seconds,
    serve=st.none() | st.builds(Serve, ports=st.lists(st.integers(), max_size=3).map(tuple)),
    version=st.just(1),
)
facts = st.builds(
    Fact,
    started=seconds,
    ended=seconds,
    tls=st.none() | st.builds(TlsSeen, certificates=st.lists(st.text(), max_size=3).map(tuple)),
    http=st.none() | st.builds(HttpSeen, headers=pairs),
)
lines = st.builds(
    Line,
    hello=st.none() | st.builds(Hello),
    fact=st.none() | facts,
    shown=st.none() | st.builds(Shown),
)


@given(plans)
def test_a_plan_arrives_as_it_was_sent(plan: Plan) -> None:
    assert load_plan(dump(plan)) == plan


@given(lines)
def test_a_line_is_one_line_and_arrives_as_it_was_sent(line: Line) -> None:
    text = dump(line)

    assert text.isascii()
    assert text.splitlines() == [text]
    assert LINE.validate_json(text) == line


def test_fields_that_hold_nothing_are_left_out() -> None:
    assert "fact" not in json.loads(dump(Line("run", 0, hello=Hello("here", 1))))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"version":1}', '{"version":0,"asks":[]}'])
def test_what_is_not_a_plan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"plan|Expecting"):
        load_plan(text)


@pytest.mark.parametrize(
    "change",
    [
        {"cadence": "sometimes"},
        {"tls": {"sni": "a", "trust": "all"}},
        {"request": {"method": "GET"}},
        {"request": 3},
        {"color": "red"},
    ],
)
def test_an_ask_of_another_shape_is_refused(change: dict[str, object]) -> None:
    plan = Plan("run", "here", (Ask("a", "127.0.0.1", 1, Cadence.ROUND),), 1, 1)
    data = json.loads(dump(plan))
    data["asks"][0] |= change

    with pytest.raises(ValueError, match=r"not a plan|sometimes"):
        load_plan(json.dumps(data))


CONNECT = Ask("a", "127.0.0.1", 1, Cadence.ROUND)
TLS = dataclasses.replace(CONNECT, tls=Tls("orders.test"))
HTTP = dataclasses.replace(CONNECT, request=Request("GET", "/", "orders.test", success=(200, 404)))
BOTH = dataclasses.replace(HTTP, tls=Tls("orders.test"))
OPEN = Fact("a", 0, 1.0, 2.0, Outcome.OPEN)
ACCEPTED = TlsSeen(finished=True, asked=True, accepted="ticket")
UNDECIDED = TlsSeen(finished=True, asked=True)
REFUSED = TlsSeen(finished=False, asked=True, alert="unknown_ca")


@pytest.mark.parametrize(
    ("ask", "fact", "expected"),
    [
        (CONNECT, OPEN, True),
        *((CONNECT, dataclasses.replace(OPEN, outcome=each), False) for each in Outcome if each != "Open"),
        (TLS, dataclasses.replace(OPEN, tls=ACCEPTED), True),
        (TLS, dataclasses.replace(OPEN, tls=UNDECIDED), False),
        (TLS, dataclasses.replace(OPEN, tls=REFUSED), False),
        (TLS, OPEN, False),
        (HTTP, dataclasses.replace(OPEN, http=HttpSeen(404)), True),
        (HTTP, dataclasses.replace(OPEN, http=HttpSeen(204)), False),
        (HTTP, dataclasses.replace(OPEN, http=HttpSeen(ended=Ending.RESET)), False),
        (HTTP, OPEN, False),
        (BOTH, dataclasses.replace(OPEN, tls=UNDECIDED, http=HttpSeen(200)), True),
        (BOTH, dataclasses.replace(OPEN, tls=ACCEPTED), False),
    ],
)
def test_getting_in_means_passing_everything_asked_for(ask: Ask, fact: Fact, expected: bool) -> None:
    assert got_in(ask, fact) is expected
