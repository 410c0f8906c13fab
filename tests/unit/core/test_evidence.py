"""Lines of probes are hostile until checked: what no probe of this run prints is an InvalidReport and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import CONNECT, at, network, quick, status
from zerotrust.contract import MAX_LINE_BYTES, VERSION, Fact, Hello, Line, Outcome, Shown, dump
from zerotrust.core.evidence import MAX_CERTIFICATES, MAX_FACTS_PER_ASK, Evidence, InvalidReport

DER = b"not really DER"


def evidence() -> Evidence:
    """Evidence of a run with two places; ``ann`` was given two asks."""
    asks = {"a0": CONNECT, "a1": CONNECT, "b0": CONNECT}
    return Evidence("run", asks, {"ann": ("a0", "a1"), "bob": ("b0",)})


def greeting(number: int = 0, *, place: str = "ann", asks: int = 2, run: str = "run") -> str:
    return dump(Line(run, number, hello=Hello(place, asks)))


def fact(number: int, ask: str = "a0", seen: Fact | None = None) -> str:
    return dump(Line("run", number, fact=at(1.0, seen or network(Outcome.OPEN), ask)))


def certificate(number: int, der: bytes = DER) -> str:
    return dump(Line("run", number, shown=Shown(hashlib.sha256(der).hexdigest(), base64.b64encode(der).decode())))


def test_a_probes_output_is_taken_line_by_line() -> None:
    taken = evidence()

    assert all(taken.take("ann", line) for line in (greeting(), certificate(1), fact(2), fact(3, "a1"), fact(4)))
    assert taken.greeted == {"ann"}
    assert {ask: len(facts) for ask, facts in taken.facts.items()} == {"a0": 2, "a1": 1}
    assert taken.shown == {hashlib.sha256(DER).hexdigest(): DER}
    assert taken.count == 5


def test_places_count_their_lines_apart() -> None:
    taken = evidence()

    assert taken.take("ann", greeting())
    assert taken.take("bob", greeting(place="bob", asks=1))
    assert taken.take("bob", fact(1, "b0"))
    assert taken.take("ann", fact(1))


def test_a_log_read_again_adds_nothing() -> None:
    taken, lines = evidence(), [greeting(), fact(1), fact(2)]
    for line in lines:
        taken.take("ann", line)

    assert [taken.take("ann", line) for line in lines] == [False, False, False]
    assert len(taken.facts["a0"]) == 2
    assert taken.take("ann", fact(3))


REFUSED: dict[str, tuple[str, str]] = {
    "a gap": (fact(2), "part of the output is missing"),
    "a far gap": (fact(10**12), "part of the output is missing"),
    "another run's line": (dump(Line("other", 1, fact=at(1.0, status(200), "a0"))), "run 'other'"),
    "another version": (dump(Line("run", 1, fact=at(1.0, status(200), "a0"), version=VERSION + 1)), "version"),
    "an ask of another place": (fact(1, "b0"), "'b0', which this probe was not given"),
    "an ask that does not exist": (fact(1, "a9"), "not given"),
    "another place's greeting": (greeting(1, place="bob", asks=1), "greeting of 'bob'"),
    "a greeting with fewer asks": (greeting(1, asks=1), "1 asks"),
    "a line that says nothing": (dump(Line("run", 1)), "says nothing"),
    "a line too long": (fact(1, seen=status(200, body="x" * MAX_LINE_BYTES)), "bytes"),
    "a certificate that is no base64": (dump(Line("run", 1, shown=Shown("00", "?"))), "not base64"),
    "a certificate that is no ASCII": (dump(Line("run", 1, shown=Shown("00", "ä"))), "not base64"),
    "a certificate under another hash": (dump(Line("run", 1, shown=Shown("00", "AAAA"))), "does not match"),
    "nothing": ("", "not a line of a probe"),
    "no JSON": ("Segmentation fault", "not a line of a probe"),
    "JSON of another shape": ("[1]", "not a line of a probe"),
    "an outcome that does not exist": (fact(1).replace('"Open"', '"Ajar"'), "not a line of a probe"),
    "half a line": (fact(1)[:-9], "not a line of a probe"),
    "endless nesting": ("[" * 15_000, "not a line of a probe"),
    "a surrogate": ("\ud800", "not a line of a probe"),
    "a NUL": ("\0", "not a line of a probe"),
}


@pytest.mark.parametrize(("line", "words"), REFUSED.values(), ids=REFUSED)
def test_what_no_probe_of_this_run_prints_next_is_refused(line: str, words: str) -> None:
    taken = evidence()
    taken.take("ann", greeting())

    with pytest.raises(InvalidReport, match=words):
        taken.take("ann", line)

    assert not taken.facts
    assert not taken.shown


@pytest.mark.parametrize("field", ["started", "ended"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_time_that_is_no_time_is_refused(field: str, value: str) -> None:
    taken = evidence()
    line = json.loads(fact(0))
    line["fact"][field] = float(value.replace("Infinity", "inf"))

    with pytest.raises(InvalidReport):
        taken.take("ann", json.dumps(line))


def test_a_message_never_carries_more_than_a_little_of_a_forged_line() -> None:
    for line in (fact(0, "x" * 9000), greeting(place="y" * 9000), greeting(run="z" * 9000)):
        with pytest.raises(InvalidReport) as told:
            evidence().take("ann", line)
        assert len(str(told.value)) < 200


def _taken(line: str) -> None:
    """Take a line; anything but an answer or an InvalidReport fails the test."""
    taken = evidence()
    with suppress(InvalidReport):
        assert taken.take("ann", line) in (True, False)


@quick
@given(st.text() | st.text(st.characters(categories=["Cs", "Cc", "Lu"])))
def test_no_text_whatsoever_is_another_exception(text: str) -> None:
    _taken(text)


@quick
@given(st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_no_bytes_whatsoever_are_another_exception(text: str) -> None:
    _taken(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    return (
        [path] + [p for key, item in value.items() for p in _paths(item, (*path, key))]
        if isinstance(value, dict)
        else [path]
    )


WHOLE = [json.loads(line) for line in (greeting(), fact(0, seen=status(403)), certificate(0))]


@quick
@given(st.sampled_from(WHOLE), st.data(), json_values)
def test_no_field_of_another_kind_is_another_exception(line: dict[str, Any], data: st.DataObject, value: Any) -> None:
    changed = json.loads(json.dumps(line))
    path = data.draw(st.sampled_from([p for p in _paths(changed) if p]))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value

    _taken(json.dumps(changed))


def test_a_probe_that_never_stops_does_not_fill_the_memory() -> None:
    taken = evidence()
    taken.take("ann", greeting())
    tracemalloc.start()
    sizes = []
    for number in range(1, 6 * MAX_FACTS_PER_ASK + 1):
        taken.take("ann", fact(number, seen=status(200, body=f"{number:05}" * 100)))
        if number % MAX_FACTS_PER_ASK == 0:
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert len(taken.facts["a0"]) <= MAX_FACTS_PER_ASK + 1
    assert sizes[-1] < 3 * sizes[0]


def test_a_server_with_endless_certificates_does_not_fill_the_memory() -> None:
    taken = evidence()
    for number in range(3 * MAX_CERTIFICATES):
        assert taken.take("ann", certificate(number, str(number).encode()))

    assert len(taken.shown) == MAX_CERTIFICATES
