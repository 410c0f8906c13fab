"""What no sequence of facts whatsoever may make the judge say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.support import (
    BOTH,
    CONNECT,
    HTTP,
    TLS,
    Scene,
    alert,
    broken,
    getting_in,
    network,
    quick,
    silent,
    status,
    unanswered,
)
from zerotrust.api.status import Verdict
from zerotrust.contract import Ask, Ending, Fact, HttpSeen, Outcome, TlsSeen
from zerotrust.core.evidence import Span
from zerotrust.core.judge import SETTLING
from zerotrust.layers.base import Admitted, Expectation, Presents, Refused, outcomes
from zerotrust.layers.mtls import REFUSALS
from zerotrust.layers.network import REFUSALS as DROPS

KINDS = {
    "connect": (CONNECT, Refused(DROPS)),
    "neighbour": (CONNECT, Refused(DROPS, passed=outcomes("Refused"))),
    "tls": (TLS, Refused(REFUSALS)),
    "http": (HTTP, Refused(REFUSALS)),
    "both": (BOTH, Refused(REFUSALS)),
}
SERVED = ("tls", "http", "both")
words = st.text(max_size=12)
lengths = st.floats(0.0, 2.0)
tls_seen = st.builds(
    TlsSeen,
    alert=st.sampled_from(["", "unknown_ca", "internal_error"]) | words,
    accepted=st.sampled_from(["", "ticket"]) | words,
    certificates=st.lists(st.sampled_from(["aa", "bb", ""]), max_size=3).map(tuple),
)
http_seen = st.builds(
    HttpSeen, status=st.sampled_from([0, 200, 401, 403, 500]) | st.integers(), headers=st.just(()), body=words
)
odd = st.builds(
    Fact,
    ask=st.just("attempt"),
    started=st.just(0.0),
    ended=lengths,
    tls=st.none() | tls_seen,
    http=st.none() | http_seen,
)
usual = st.sampled_from(
    [
        network(Outcome.TIMED_OUT),
        network(Outcome.REFUSED),
        network(Outcome.FAILED),
        network(Outcome.OPEN),
        alert("unknown_ca"),
        alert("unknown_ca", asked=False),
        broken(Ending.RESET),
        silent(),
        status(200),
        status(200, tls=False),
        status(403),
        status(403, tls=False),
        status(500),
        unanswered(Ending.MALFORMED),
    ]
)
seen = usual | odd
moments = st.floats(0.0, 30.0)
attempts = st.lists(st.tuples(moments, seen), max_size=6).map(lambda found: sorted(found, key=lambda item: item[0]))
controls = st.lists(st.tuples(moments, st.sampled_from([True, True, False]) | seen), max_size=8)


@st.composite
def scenes(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS), *, quiet: bool = False) -> Scene:
    """Any evidence at all for a case that expects a refusal; ``quiet``: rather one that proves it."""
    ask, expects = KINDS[draw(st.sampled_from(kinds))]
    scene = Scene(expects, ask, draw(attempts), draw(controls), wired=draw(st.booleans()) or quiet)
    if quiet:
        refusal = status(403, tls=ask.tls is not None) if ask is not CONNECT else network(Outcome.TIMED_OUT)
        scene.attempts = [(t, refusal if draw(st.integers(0, 4)) else fact) for t, fact in scene.attempts]
        scene.controls += [(t - 0.5, True) for t, _ in scene.attempts] + [(40.0, True)]
    return scene


any_scene = scenes() | scenes(quiet=True)


def _fits(ask: Ask, fact: Fact) -> bool:
    """Independently of the product: is this one of the refusals that the case is about?"""
    if ask is CONNECT:
        return fact.outcome in (Outcome.TIMED_OUT, Outcome.PROHIBITED)
    if fact.outcome is not Outcome.OPEN:
        return False
    if ask.tls and fact.tls and fact.tls.alert:
        return fact.tls.asked and f"tls:{fact.tls.alert}" in REFUSALS
    if ask.tls and not (fact.tls and fact.tls.finished):
        return False
    return bool(ask.request and fact.http and not fact.http.tls and fact.http.status in (401, 403))


def _entered(ask: Ask, fact: Fact) -> bool:
    if fact.outcome is not Outcome.OPEN:
        return False
    if ask.request:
        return fact.http is not None and 200 <= fact.http.status < 300
    return bool(fact.tls and fact.tls.finished and fact.tls.accepted) if ask.tls else True


def _proven(scene: Scene) -> bool:
    """Some attempt was refused for a reason that fits, right between two controls that got in."""
    evidence = scene.judge().evidence.facts
    for fact in evidence["attempt"]:
        before = [c for c in evidence["control"] if c.ended <= fact.started]
        after = [c for c in evidence["control"] if c.started >= fact.ended]
        if not before or not after or not _fits(scene.ask, fact):
            continue
        latest, first = max(c.ended for c in before), min(c.started for c in after)
        if any(_entered(scene.ask, c) for c in before if c.ended == latest) and any(
            _entered(scene.ask, c) for c in after if c.started == first
        ):
            return True
    return False


@quick
@given(any_scene)
def test_a_pass_means_a_fitting_refusal_between_two_controls_that_got_in(scene: Scene) -> None:
    if scene.judged().verdict is Verdict.PASS:
        assert scene.wired
        assert _proven(scene)


@quick
@given(scenes(SERVED) | scenes(SERVED, quiet=True))
def test_a_pass_means_that_nothing_ever_got_past_a_server(scene: Scene) -> None:
    if scene.judged().verdict is Verdict.PASS:
        assert not any(_entered(scene.ask, fact) for _, fact in scene.attempts)


@quick
@given(scenes(("connect", "neighbour")) | scenes(("connect", "neighbour"), quiet=True))
def test_a_pass_means_that_nothing_got_past_the_network_once_it_had_time_to_settle(scene: Scene) -> None:
    if scene.judged().verdict is Verdict.PASS:
        began = min(moment for moment, _ in scene.attempts)
        assert not any(_entered(scene.ask, fact) for moment, fact in scene.attempts if moment - began >= SETTLING)


@quick
@given(any_scene)
def test_a_breach_means_that_something_got_through(scene: Scene) -> None:
    if scene.judged().verdict is Verdict.BREACH:
        assert isinstance(scene.expects, Refused)
        reset = Outcome.REFUSED if scene.expects.passed else None
        assert any(_entered(scene.ask, fact) or fact.outcome is reset for _, fact in scene.attempts)


SICK = Scene(Refused(REFUSALS), BOTH, [(1.0, status(403)), (3.0, status(500))], [(0.0, True), (2.0, True), (4.0, True)])
"""A server that refused, and then fell ill: the last attempt between controls says so."""


@quick
@given(any_scene)
@example(SICK)
def test_taking_a_control_that_got_in_away_proves_nothing_new(scene: Scene) -> None:
    if scene.judged().verdict is Verdict.PASS:
        return
    for gone, (_, fact) in enumerate(scene.controls):
        if fact is True:
            less = replace(scene, controls=[c for n, c in enumerate(scene.controls) if n != gone])
            assert less.judged().verdict is not Verdict.PASS


@quick
@given(scenes(SERVED) | scenes(SERVED, quiet=True), moments, st.floats(0.0, 1e9))
def test_an_attempt_that_got_past_a_server_never_leaves_a_pass(scene: Scene, moment: float, waited: float) -> None:
    scene.attempts = sorted([*scene.attempts, (moment, getting_in(scene.ask))], key=lambda item: item[0])

    judged = scene.judged(waited)

    assert (judged.verdict, judged.settled) == (Verdict.BREACH, True)


@quick
@given(any_scene)
def test_a_refusal_is_never_called_a_lockout_and_ends_settled(scene: Scene) -> None:
    judged = scene.judged(waited=float("inf"))

    assert judged.verdict not in (Verdict.LOCKOUT, Verdict.SKIPPED, Verdict.WAIVED, Verdict.FAIL)
    assert judged.settled


@quick
@given(any_scene)
def test_what_is_settled_stays_so_while_one_waits(scene: Scene) -> None:
    early, late = scene.judged(waited=0.0), scene.judged(waited=60.0)

    assert early.verdict is late.verdict
    assert late.settled >= early.settled


@pytest.mark.parametrize(
    "expects", [Refused(REFUSALS), Admitted(), Presents("web")], ids=["refused", "admitted", "server"]
)
@quick
@given(
    ask=st.sampled_from([CONNECT, TLS, HTTP, BOTH]),
    found=st.lists(
        st.tuples(
            st.floats() | moments,
            st.builds(
                Fact,
                started=st.floats() | moments,
                ended=st.floats() | moments,
                tls=st.none() | tls_seen,
                http=st.none() | http_seen,
            ),
        ),
        max_size=5,
    ),
    others=st.lists(st.tuples(st.floats() | moments, st.booleans()), max_size=4),
    spans=st.none() | st.lists(st.builds(Span, st.floats(), st.floats()), max_size=2),
    shown=st.dictionaries(st.sampled_from(["aa", "bb", ""]), st.binary(max_size=3)),
    waited=st.floats(0.0, 100.0) | st.just(float("inf")),
)
def test_no_fact_whatsoever_is_an_exception(
    expects: Expectation,
    ask: Ask,
    found: list[tuple[float, Fact]],
    others: list[tuple[float, Fact | bool]],
    spans: list[Span] | None,
    shown: dict[str, bytes],
    waited: float,
) -> None:
    judged = Scene(expects, ask, found, others, spans, shown=shown).judged(waited)

    assert len(judged.seen) <= 256
    assert judged.seen.isprintable()


@quick
@given(attempts, st.booleans(), st.booleans())
def test_a_lockout_means_a_refusal_by_a_target_that_is_alive(
    found: list[tuple[float, Fact]], alive: bool, wired: bool
) -> None:
    scene = Scene(Admitted(), BOTH, found, alive=alive, wired=wired)
    if scene.judged().verdict is Verdict.LOCKOUT:
        last = found[-1][1]
        assert alive
        assert not _entered(BOTH, last)
        assert _fits(BOTH, last) or last.outcome in (Outcome.TIMED_OUT, Outcome.PROHIBITED)
