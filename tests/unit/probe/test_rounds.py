"""When asks are tried."""

import itertools
import socket
import threading
from pathlib import Path

import pytest

from tests.unit.probe.running import free_port, plan, running
from tests.unit.probe.servers import OK, answering, read_head, serving
from zerotrust.contract import Ask, Cadence, Fact, HttpSeen, Outcome, Request
from zerotrust.probe import rounds
from zerotrust.probe.clock import now

GET = Request("GET", "/", "orders.test")


def ask(name: str, port: int, cadence: Cadence, request: Request | None = GET) -> Ask:
    return Ask(name, "127.0.0.1", port, cadence, 0.5, request=request)


def test_controls_run_before_and_after_every_other_attempt(tmp_path: Path) -> None:
    with serving(answering()) as port:
        controls = [ask(f"c{n}", port, Cadence.CONTROL) for n in range(3)]
        others = [ask(f"r{n}", port, Cadence.ROUND) for n in range(9)]
        with running(tmp_path, plan([*others, *controls], workers=4)) as probe:
            facts = probe.facts(100)

    tried = [fact for fact in facts if fact.ask.startswith("r") and fact.attempt < 3]
    assert len(tried) == 27
    for fact, control in itertools.product(tried, controls):
        of_it = [each for each in facts if each.ask == control.id]
        assert any(each.ended <= fact.started for each in of_it), "none before"
        assert any(each.started >= fact.ended for each in of_it), "none after"


def test_a_round_has_all_asks_between_two_passes_of_the_controls(tmp_path: Path) -> None:
    with serving(answering()) as port:
        asks = [
            ask("c", port, Cadence.CONTROL),
            ask("r1", port, Cadence.ROUND),
            ask("r2", port, Cadence.ROUND),
        ]
        with running(tmp_path, plan(asks, interval=10, pause=10)) as probe:
            order = [fact.ask for fact in probe.facts(5)]

    assert order[:2] == ["c", "c"]  # the gate, then the round's own
    assert sorted(order[2:4]) == ["r1", "r2"]
    assert order[4] == "c"


def test_nothing_else_starts_until_every_control_got_in(tmp_path: Path) -> None:
    answers = iter([b"HTTP/1.1 503 Wait\r\nContent-Length: 0\r\n\r\n"] * 3)

    def late(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(next(answers, OK))

    with serving(late) as slow, serving(answering()) as quick:
        asks = [
            ask("slow", slow, Cadence.CONTROL),
            ask("quick", quick, Cadence.CONTROL),
            ask("r", quick, Cadence.ROUND),
        ]
        with running(tmp_path, plan(asks)) as probe:
            facts = probe.facts(10)

    polls = [fact for fact in facts if fact.ask == "slow"]
    first = next(fact for fact in facts if fact.ask == "r")
    assert [fact.http.status for fact in polls[:4] if fact.http] == [503, 503, 503, 200]
    assert first.started >= polls[3].ended
    assert [fact.attempt for fact in facts if fact.ask == "quick"][:2] == [0, 1]


def test_controls_go_on_between_rounds(tmp_path: Path) -> None:
    with serving(answering()) as port:
        asks = [ask("c", port, Cadence.CONTROL), ask("r", port, Cadence.ROUND)]
        with running(tmp_path, plan(asks, interval=0.02, pause=10)) as probe:
            facts = probe.facts(12)

    assert [fact.ask for fact in facts].count("r") == 1


def test_without_controls_rounds_start_at_once(tmp_path: Path) -> None:
    with running(tmp_path, plan([ask("r", free_port(), Cadence.ROUND)])) as probe:
        assert probe.facts(1)[0].outcome is Outcome.REFUSED


def test_what_must_not_be_repeated_is_tried_until_it_got_in(tmp_path: Path) -> None:
    with serving(answering()) as port:
        asks = [
            ask("c", port, Cadence.CONTROL),
            ask("in", port, Cadence.ONCE),
            ask("out", free_port(), Cadence.ONCE),
            ask("r", port, Cadence.ROUND),
        ]
        with running(tmp_path, plan(asks)) as probe:
            names = [fact.ask for fact in probe.facts(30)]

    assert names.count("in") == 1
    assert names.count("out") > 1
    assert names.count("r") > 1


def test_rounds_grow_rarer(tmp_path: Path) -> None:
    with running(tmp_path, plan([ask("r", free_port(), Cadence.ROUND)], pause=0.02)) as probe:
        starts = [fact.started for fact in probe.facts(7)]

    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps[-1] > 4 * 0.02
    assert gaps[-1] > gaps[0]


def _fact(each: Ask, status: int) -> Fact:
    return Fact(each.id, 0, now(), now(), Outcome.OPEN, http=HttpSeen(status))


def test_a_control_that_never_gets_in_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "GATE_PATIENCE", 0.1)
    asks = [ask("good", 1, Cadence.CONTROL), ask("bad", 1, Cadence.CONTROL)]
    tried: list[str] = []

    def attempt(each: Ask) -> Fact:
        tried.append(each.id)
        return _fact(each, 200 if each.id == "good" else 500)

    began = now()
    rounds.Rounds(plan(asks), attempt)._gate()

    assert 0.1 <= now() - began < 1
    assert tried.count("good") == 1
    assert 2 < tried.count("bad") < 15


def test_the_slowest_of_a_round_starts_first_the_next_time() -> None:
    asks = [ask("request", 1, Cadence.ROUND), ask("request-2", 1, Cadence.ROUND)]
    tried: list[str] = []

    def attempt(each: Ask) -> Fact:
        tried.append(each.id)
        took = 3.0 if each.id == "request-2" else 0.1
        return Fact(each.id, 0, 100.0, 100.0 + took, Outcome.OPEN)

    one = rounds.Rounds(plan(asks, workers=1), attempt)
    one._round()
    one._round()

    assert tried == ["request", "request-2", "request-2", "request"]


def test_connections_that_may_be_dropped_are_tried_on_a_beat_of_their_own() -> None:
    release, started = threading.Event(), threading.Semaphore(0)

    def attempt(each: Ask) -> Fact:
        started.release()
        release.wait(10)
        return Fact(each.id, 0, 100.0, 101.0, Outcome.TIMED_OUT)

    one = rounds.Rounds(plan([ask("connect", 1, Cadence.ROUND, None)], interval=0.01), attempt)
    threading.Thread(target=one._knock, daemon=True).start()
    try:
        assert all(started.acquire(timeout=5) for _ in range(3)), "none waits for the one before it"
    finally:
        release.set()
