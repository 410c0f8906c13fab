"""The judge: a refusal is proven, never assumed; a healthy system is never accused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.support import (
    BOTH,
    CONNECT,
    HTTP,
    TLS,
    Scene,
    alert,
    at,
    broken,
    case,
    getting_in,
    network,
    silent,
    status,
    unanswered,
    welcomed,
)
from zerotrust.api.status import Verdict
from zerotrust.contract import Ask, Ending, Fact, HttpSeen, Outcome, TlsSeen
from zerotrust.core.evidence import Evidence, Span
from zerotrust.core.judge import ATTEMPTS, KNOCKS, PATIENCE, SETTLING, Judge, is_due
from zerotrust.core.plan import Program
from zerotrust.layers.base import Admitted, Approach, Presents, Refused, Trial, outcomes, statuses
from zerotrust.layers.dialects import spoken
from zerotrust.layers.mtls import PLAINTEXT_REFUSALS, REFUSALS
from zerotrust.layers.network import REFUSALS as DROPS

FORGED = Refused(REFUSALS)
DENIED = Refused(DROPS)
TIMED_OUT = network(Outcome.TIMED_OUT)
AROUND: list[tuple[float, Fact | bool]] = [(0.0, True), (2.0, True)]
"""Controls around an attempt at 1.0 that got in."""


# proof of a refusal

PROVEN: list[tuple[str, Refused, Ask, Fact]] = [
    ("an alert in TLS 1.3", FORGED, TLS, alert("unknown_ca")),
    ("an alert in TLS 1.2", FORGED, TLS, alert("certificate_expired", finished=False)),
    ("an alert before the request", FORGED, BOTH, alert("certificate_required")),
    ("a status", FORGED, BOTH, status(403)),
    ("a status over plaintext", Refused(statuses(401)), HTTP, status(401, tls=False)),
    ("silence of the network", DENIED, CONNECT, TIMED_OUT),
    ("an answer of a firewall", DENIED, CONNECT, network(Outcome.PROHIBITED)),
    (
        "TLS in answer to plaintext",
        Refused(PLAINTEXT_REFUSALS),
        HTTP,
        replace(getting_in(HTTP), http=HttpSeen(tls=True)),
    ),
    ("a reset in answer to plaintext", Refused(PLAINTEXT_REFUSALS), HTTP, unanswered(Ending.RESET, tls=False)),
]


@pytest.mark.parametrize(("expects", "ask", "fact"), [p[1:] for p in PROVEN], ids=[p[0] for p in PROVEN])
class TestARefusalForAReasonThatFits:
    def test_passes_between_two_controls(self, expects: Refused, ask: Ask, fact: Fact) -> None:
        judged = Scene(expects, ask, [(1.0, fact)] * KNOCKS, AROUND).judged(waited=0.0)

        assert (judged.verdict, judged.reason, judged.settled) == (Verdict.PASS, "Refused", True)

    @pytest.mark.parametrize(
        "controls",
        [
            [],
            [(0.0, True)],
            [(2.0, True)],
            [(0.0, False), (2.0, True)],
            [(0.0, True), (2.0, False)],
            [(0.0, True), (0.5, False), (2.0, True)],
            [(0.0, True), (1.5, False), (2.0, True)],
            [(-2.0, True), (0.0, True)],
            [(2.0, True), (3.0, True)],
            [(0.95, True), (2.0, True)],
            [(0.0, True), (1.05, True)],
        ],
        ids=[
            "no control",
            "none after",
            "none before",
            "refused before",
            "refused after",
            "refused right before",
            "refused right after",
            "both before",
            "both after",
            "the first still under way",
            "the second begun too early",
        ],
    )
    def test_proves_nothing_without_controls_right_before_and_after(
        self, expects: Refused, ask: Ask, fact: Fact, controls: list[tuple[float, Fact | bool]]
    ) -> None:
        judged = Scene(expects, ask, [(1.0, fact)], controls).judged()

        assert (judged.verdict, judged.reason, judged.settled) == (Verdict.INCONCLUSIVE, "ControlFailed", True)

    def test_proves_nothing_from_a_place_whose_own_network_may_be_dead(
        self, expects: Refused, ask: Ask, fact: Fact
    ) -> None:
        judged = Scene(expects, ask, [(1.0, fact)], AROUND, wired=False).judged()

        assert (judged.verdict, judged.reason) == (Verdict.INCONCLUSIVE, "SourceDead")

    def test_is_no_excuse_for_an_attempt_that_got_in(self, expects: Refused, ask: Ask, fact: Fact) -> None:
        attempts = [(1.0, fact), (3.0 + SETTLING, getting_in(ask)), (5.0 + SETTLING, fact)]
        controls: list[tuple[float, Fact | bool]] = [(float(t), True) for t in range(0, 20, 2)]
        judged = Scene(expects, ask, attempts, controls).judged()

        assert (judged.verdict, judged.reason) == (Verdict.BREACH, "GotIn")


def test_an_order_of_arrival_that_differs_from_the_timestamps_does_not_matter() -> None:
    controls: list[tuple[float, Fact | bool]] = [(2.0, True), (5.0, False), (0.0, True)]

    assert Scene(FORGED, BOTH, [(1.0, status(403))], controls).judged().verdict is Verdict.PASS


def test_a_control_needs_no_more_than_to_touch_the_attempt() -> None:
    controls: list[tuple[float, Fact | bool]] = [(0.9, True), (1.1, True)]
    scene = Scene(FORGED, BOTH, [(1.0, replace(status(403), started=0.0, ended=0.125))], controls)
    scene.controls = [(0.875 - 0.1, True), (1.125, True)]

    assert scene.judged().verdict is Verdict.PASS


# what is no refusal of an identity

UNFIT: list[tuple[str, Refused, Ask, Fact]] = [
    ("a server error", FORGED, BOTH, status(500)),
    ("a gateway that is overloaded", FORGED, BOTH, status(503)),
    ("a missing page, where no route decides", FORGED, BOTH, status(404)),
    (
        "an alert before a certificate was asked for",
        FORGED,
        BOTH,
        alert("handshake_failure", asked=False, finished=False),
    ),
    ("an alert about the protocol", FORGED, BOTH, alert("protocol_version", asked=False, finished=False)),
    ("an alert about the server's own trouble", FORGED, BOTH, alert("internal_error")),
    ("a closed handshake", FORGED, BOTH, broken(Ending.CLOSED)),
    ("a reset handshake", FORGED, TLS, broken(Ending.RESET)),
    ("a server that says nothing", FORGED, TLS, silent()),
    ("a server that says nothing to a request", FORGED, BOTH, silent()),
    ("a request cut off", FORGED, BOTH, unanswered(Ending.RESET)),
    ("an answer that is no HTTP", FORGED, BOTH, unanswered(Ending.MALFORMED)),
    ("an answer without an end", FORGED, BOTH, unanswered(Ending.TOO_LARGE)),
    ("a connection refused, where TLS was due", FORGED, BOTH, network(Outcome.REFUSED)),
    ("a connection refused, where silence was due", DENIED, CONNECT, network(Outcome.REFUSED)),
    ("a name without an address", DENIED, CONNECT, network(Outcome.UNRESOLVED)),
    ("a connection without the TLS it was for", FORGED, BOTH, network(Outcome.OPEN)),
    ("a redirect", FORGED, BOTH, status(302)),
    ("a status of nought", FORGED, BOTH, status(0)),
    ("a closed port, where plaintext is to be refused", Refused(PLAINTEXT_REFUSALS), HTTP, network(Outcome.REFUSED)),
]


@pytest.mark.parametrize(("expects", "ask", "fact"), [u[1:] for u in UNFIT], ids=[u[0] for u in UNFIT])
def test_a_wrong_reason_is_inconclusive_even_while_the_control_holds(expects: Refused, ask: Ask, fact: Fact) -> None:
    judged = Scene(expects, ask, [(1.0, fact)], AROUND).judged()

    assert (judged.verdict, judged.reason, judged.settled) == (Verdict.INCONCLUSIVE, "WrongReason", True)


SILENCES: list[tuple[str, Refused, Ask, Fact]] = [
    ("a handshake without an end", FORGED, TLS, broken(Ending.TIMED_OUT)),
    ("a connection without an answer, where TLS was due", FORGED, BOTH, TIMED_OUT),
    ("a request without an answer", FORGED, BOTH, unanswered(Ending.TIMED_OUT)),
    ("plaintext without an answer", Refused(PLAINTEXT_REFUSALS), HTTP, unanswered(Ending.TIMED_OUT, tls=False)),
]


@pytest.mark.parametrize(("expects", "ask", "fact"), [s[1:] for s in SILENCES], ids=[s[0] for s in SILENCES])
def test_silence_of_what_should_answer_proves_nothing(expects: Refused, ask: Ask, fact: Fact) -> None:
    judged = Scene(expects, ask, [(1.0, fact)], AROUND).judged()

    assert (judged.verdict, judged.reason, judged.settled) == (Verdict.INCONCLUSIVE, "NoAnswer", True)


def test_silence_after_a_proven_refusal_does_not_undo_it() -> None:
    silence = unanswered(Ending.TIMED_OUT)
    judged = Scene(FORGED, BOTH, [(1.0, status(403)), (3.0, silence)], [(0.0, True), (2.0, True), (4.0, True)]).judged()

    assert judged.verdict is Verdict.PASS


def test_a_wrong_reason_may_still_become_a_right_one() -> None:
    judged = Scene(FORGED, BOTH, [(1.0, status(500))], AROUND).judged(waited=1.0)

    assert not judged.settled


def test_the_last_attempt_between_controls_decides() -> None:
    controls: list[tuple[float, Fact | bool]] = [(0.0, True), (2.0, True), (4.0, True)]

    warm = Scene(FORGED, BOTH, [(1.0, status(500)), (3.0, status(403))], controls)
    sick = Scene(FORGED, BOTH, [(1.0, status(403)), (3.0, status(500))], controls)

    assert warm.judged().verdict is Verdict.PASS
    assert sick.judged().verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("waited", "begun", "tries", "settled"),
    [
        (0.0, 0.0, ATTEMPTS, False),
        (PATIENCE - 0.1, 0.0, ATTEMPTS, False),
        (PATIENCE, 0.0, ATTEMPTS, True),
        (PATIENCE, 0.0, ATTEMPTS - 1, False),
        (PATIENCE, 2.0, ATTEMPTS, False),
        (PATIENCE, None, ATTEMPTS, False),
        (float("inf"), None, 1, True),
    ],
    ids=["at once", "before the time", "in time", "too few attempts", "some too early", "not begun", "time is up"],
)
@pytest.mark.parametrize("expects", [FORGED, Admitted()], ids=["refused", "admitted"])
def test_what_is_not_proven_is_settled_after_time_and_attempts_enough(
    expects: Refused | Admitted, waited: float, begun: float | None, tries: int, settled: bool
) -> None:
    attempts = [(1.0 + 2 * n, status(500)) for n in range(tries)]
    scene = Scene(expects, BOTH, attempts, AROUND, begun=begun)

    assert scene.judged(waited).settled is settled


def test_a_control_that_comes_and_goes_is_given_the_whole_time_and_one_that_is_gone_is_not() -> None:
    attempts = [(1.0 + 2 * n, status(403)) for n in range(ATTEMPTS)]
    gone: list[tuple[float, Fact | bool]] = [(2.0 * n, False) for n in range(ATTEMPTS + 1)]

    assert not Scene(FORGED, BOTH, attempts, [*gone[:-1], (20.0, True)], begun=0.0).judged(PATIENCE).settled
    assert Scene(FORGED, BOTH, attempts, gone, begun=0.0).judged(PATIENCE).settled


def test_a_certificate_that_the_probes_own_library_withheld_proves_nothing() -> None:
    withheld = replace(alert("certificate_required"), tls=TlsSeen(finished=True, asked=True, withheld=True))

    assert Scene(FORGED, BOTH, [(1.0, withheld)], AROUND).judged().reason == "NotPresented"


# getting in


@pytest.mark.parametrize("controls", [[], AROUND, [(0.0, False), (2.0, False)]], ids=["none", "held", "failed"])
@pytest.mark.parametrize("wired", [True, False])
@pytest.mark.parametrize("ask", [TLS, HTTP, BOTH], ids=["tls", "http", "both"])
def test_getting_in_is_a_breach_at_once_whatever_the_controls_say(
    ask: Ask, controls: list[tuple[float, Fact | bool]], wired: bool
) -> None:
    judged = Scene(FORGED, ask, [(1.0, getting_in(ask))], controls, wired=wired).judged(waited=0.0)

    assert (judged.verdict, judged.reason, judged.settled) == (Verdict.BREACH, "GotIn", True)


def test_getting_in_once_is_a_breach_though_all_later_attempts_were_refused() -> None:
    attempts = [(1.0, welcomed()), *((float(t), alert("unknown_ca")) for t in range(3, 60, 2))]
    controls: list[tuple[float, Fact | bool]] = [(float(t), True) for t in range(0, 62, 2)]

    assert Scene(FORGED, TLS, attempts, controls).judged().verdict is Verdict.BREACH


def test_a_declared_success_status_means_getting_in() -> None:
    assert BOTH.request
    ask = replace(BOTH, request=replace(BOTH.request, success=(404,)))

    assert Scene(Refused(statuses(404)), ask, [(1.0, status(404))], AROUND).judged().verdict is Verdict.BREACH


# the network is eventual


def _closing(opened: list[float], closed: list[float], then: Fact = TIMED_OUT) -> Scene:
    attempts = sorted([*((t, network(Outcome.OPEN)) for t in opened), *((t, then) for t in closed)])
    controls: list[tuple[float, Fact | bool]] = [(t / 2 + 0.25, True) for t in range(-2, 60)]
    return Scene(DENIED, CONNECT, attempts, controls)


@pytest.mark.parametrize(
    ("scene", "verdict"),
    [
        (_closing([0.0], [2.0, 4.0]), Verdict.PASS),
        (_closing([0.0, 2.0, 4.0], [6.0, 8.0]), Verdict.PASS),
        (_closing([0.0], []), Verdict.BREACH),
        (_closing([0.0], [2.0]), Verdict.BREACH),
        (_closing([0.0, 2.0, 4.0, 6.0], [8.0, 10.0, 12.0]), Verdict.BREACH),
        (_closing([SETTLING + 1], [0.0, 8.0, 10.0]), Verdict.BREACH),
        (_closing([0.0, 3.0], [2.0, 4.0, 6.0]), Verdict.PASS),
        (_closing([0.0], [2.0, 4.0], network(Outcome.REFUSED)), Verdict.BREACH),
    ],
    ids=[
        "a policy that closed in time",
        "one that closed just in time",
        "none at all",
        "closed only once",
        "one that took too long",
        "one that was lifted again",
        "one that flickered while it settled",
        "a listener that went away",
    ],
)
def test_a_network_policy_may_settle_but_must_hold(scene: Scene, verdict: Verdict) -> None:
    assert scene.judged().verdict is verdict


def test_a_late_policy_still_needs_its_controls() -> None:
    scene = _closing([0.0], [2.0, 4.0])
    scene.controls = [(-1.0, True)]

    assert scene.judged().verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("ask", [TLS, HTTP, BOTH], ids=["tls", "http", "both"])
def test_a_servers_yes_is_never_taken_for_a_policy_on_its_way(ask: Ask) -> None:
    refusal = alert("unknown_ca") if ask is TLS else status(403, tls=ask.tls is not None)
    attempts = [(0.0, getting_in(ask)), (1.0, refusal), (2.0, refusal), (3.0, refusal)]
    controls: list[tuple[float, Fact | bool]] = [(t / 2 - 0.25, True) for t in range(12)]

    assert Scene(FORGED, ask, attempts, controls).judged().verdict is Verdict.BREACH


def test_an_open_door_is_settled_once_it_has_lasted() -> None:
    fresh, lasting = _closing([0.0], []), _closing([0.0, SETTLING + 0.5], [])

    assert not fresh.judged(waited=1.0).settled
    assert lasting.judged(waited=1.0).settled
    assert fresh.judged().settled


def test_a_reset_from_the_neighbouring_port_shows_that_the_packet_arrived() -> None:
    expects = Refused(DROPS, passed=outcomes("Refused"))
    reset = network(Outcome.REFUSED)

    assert Scene(expects, CONNECT, [(1.0, reset), (9.0, reset)], AROUND).judged().verdict is Verdict.BREACH
    late = _closing([], [2.0, 4.0])
    late.attempts = [(0.0, reset), *late.attempts]
    late.expects = expects
    assert late.judged().verdict is Verdict.PASS


# facts that are missing, attempts that could not be made


@pytest.mark.parametrize("expects", [FORGED, Admitted()], ids=["refused", "admitted"])
def test_missing_facts_are_an_error(expects: Refused | Admitted) -> None:
    judged = Scene(expects, BOTH, [], AROUND).judged()

    assert (judged.verdict, judged.reason, judged.settled) == (Verdict.ERROR, "FactsMissing", True)
    assert not Scene(expects, BOTH, [], AROUND).judged(waited=0.0).settled


@pytest.mark.parametrize("expects", [FORGED, Admitted()], ids=["refused", "admitted"])
def test_an_attempt_that_the_tool_could_not_make_is_an_error(expects: Refused | Admitted) -> None:
    judged = Scene(expects, BOTH, [(1.0, replace(network(Outcome.FAILED), error="no file"))], AROUND).judged()

    assert (judged.verdict, judged.reason) == (Verdict.ERROR, "ProbeFailed")
    assert "no file" in judged.message


# nobody is trusted: the target's readiness stands in


@pytest.mark.parametrize(
    ("spans", "verdict", "reason"),
    [
        ([Span(0.0, 2.0)], Verdict.PASS, "Refused"),
        ([Span(-5.0, 0.0), Span(0.5, 1.5)], Verdict.PASS, "Refused"),
        ([], Verdict.INCONCLUSIVE, "NoControl"),
        ([Span(0.0, 1.05)], Verdict.INCONCLUSIVE, "NoControl"),
        ([Span(1.05, 3.0)], Verdict.INCONCLUSIVE, "NoControl"),
        ([Span(0.0, 0.9), Span(1.2, 3.0)], Verdict.INCONCLUSIVE, "NoControl"),
    ],
    ids=["ready throughout", "a later span", "none", "ended too early", "began too late", "a gap"],
)
def test_where_nobody_may_pass_the_targets_readiness_stands_in(
    spans: list[Span], verdict: Verdict, reason: str
) -> None:
    judged = Scene(DENIED, CONNECT, [(1.0, TIMED_OUT)] * KNOCKS, stand_in=spans).judged()

    assert (judged.verdict, judged.reason) == (verdict, reason)
    if reason == "NoControl":
        assert "readinessProbe on port 8443" in judged.message


@pytest.mark.parametrize(
    ("said", "verdict"), [("The SSL certificate error", Verdict.PASS), ("Bad Request", Verdict.INCONCLUSIVE)]
)
def test_a_server_may_refuse_in_words_of_its_own(said: str, verdict: Verdict) -> None:
    scene = Scene(FORGED, BOTH, [(1.0, status(400, body=f"<title>400 {said}</title>"))], AROUND, answers=spoken("mtls"))
    judged = scene.judged()

    assert judged.verdict is verdict
    assert said in judged.seen


def test_an_answer_that_says_no_is_no_way_in_whatever_its_status() -> None:
    no = replace(status(200), http=HttpSeen(200, (("grpc-status", "16"),)))
    kept_out = Scene(FORGED, BOTH, [(1.0, no)], AROUND, answers=spoken("jwt")).judged()
    let_in = Scene(FORGED, BOTH, [(1.0, status(200))], AROUND, answers=spoken("jwt")).judged()
    unproven = Scene(FORGED, BOTH, [(1.0, no)], [(0.0, no), (2.0, no)], answers=spoken("jwt")).judged()
    locked_out = Scene(Admitted(), BOTH, [(1.0, no)], answers=spoken("jwt")).judged()

    assert [kept_out.verdict, let_in.verdict] == [Verdict.PASS, Verdict.BREACH]
    assert (unproven.verdict, unproven.reason) == (Verdict.INCONCLUSIVE, "ControlFailed")
    assert locked_out.verdict is Verdict.LOCKOUT


def test_one_lost_packet_is_no_policy() -> None:
    knocks = [(1.0, TIMED_OUT)] * (KNOCKS - 1)
    early, late = (Scene(DENIED, CONNECT, knocks, AROUND).judged(waited) for waited in (0.0, float("inf")))

    assert (early.verdict, early.reason, early.settled) == (Verdict.INCONCLUSIVE, "TooFew", False)
    assert (late.verdict, late.settled) == (Verdict.INCONCLUSIVE, True)


# the trusted


def test_a_trusted_identity_that_gets_in_passes_at_once() -> None:
    judged = Scene(Admitted(), BOTH, [(1.0, status(204))]).judged(waited=0.0)

    assert (judged.verdict, judged.settled) == (Verdict.PASS, True)


def test_a_trusted_identity_may_need_time_to_be_let_in() -> None:
    attempts = [(0.0, network(Outcome.REFUSED)), (1.0, status(503)), (2.0, status(200))]

    assert Scene(Admitted(), BOTH, attempts).judged().verdict is Verdict.PASS
    assert not Scene(Admitted(), BOTH, attempts[:2]).judged(waited=1.0).settled


REFUSED_ALOUD = [
    ("a 401", BOTH, status(401)),
    ("a 403", BOTH, status(403)),
    ("an alert about the certificate", BOTH, alert("unknown_ca")),
    ("an alert where TLS is all there is", TLS, alert("certificate_expired")),
    ("silence of the network", CONNECT, TIMED_OUT),
    ("an answer of a firewall", CONNECT, network(Outcome.PROHIBITED)),
]


@pytest.mark.parametrize(("ask", "fact"), [r[1:] for r in REFUSED_ALOUD], ids=[r[0] for r in REFUSED_ALOUD])
class TestATrustedIdentityThatWasRefused:
    def test_is_locked_out_of_a_target_that_is_alive(self, ask: Ask, fact: Fact) -> None:
        judged = Scene(Admitted(), ask, [(1.0, fact)]).judged()

        assert (judged.verdict, judged.reason, judged.settled) == (Verdict.LOCKOUT, "Refused", True)

    def test_is_given_time(self, ask: Ask, fact: Fact) -> None:
        assert not Scene(Admitted(), ask, [(1.0, fact)]).judged(waited=1.0).settled

    def test_proves_nothing_while_the_target_is_not_alive(self, ask: Ask, fact: Fact) -> None:
        assert Scene(Admitted(), ask, [(1.0, fact)], alive=False).judged().verdict is Verdict.INCONCLUSIVE


def test_silence_to_a_place_whose_own_network_may_be_dead_locks_nobody_out() -> None:
    for ask in (CONNECT, BOTH):
        judged = Scene(Admitted(), ask, [(1.0, TIMED_OUT)], wired=False).judged()

        assert (judged.verdict, judged.reason) == (Verdict.INCONCLUSIVE, "SourceDead")


@pytest.mark.parametrize(
    "fact",
    [
        status(500),
        status(503),
        status(404),
        status(302),
        network(Outcome.REFUSED),
        network(Outcome.UNRESOLVED),
        broken(Ending.RESET),
        broken(Ending.TIMED_OUT),
        alert("protocol_version", asked=False, finished=False),
        alert("internal_error"),
        alert("decode_error"),
        silent(),
        unanswered(Ending.TIMED_OUT),
        unanswered(Ending.MALFORMED),
    ],
    ids=lambda fact: f"{fact.outcome} {fact.tls.alert or fact.tls.ended if fact.tls else ''} {fact.http}",
)
def test_a_trusted_identity_that_nobody_refused_is_not_locked_out(fact: Fact) -> None:
    judged = Scene(Admitted(), BOTH, [(1.0, fact)]).judged()

    assert (judged.verdict, judged.reason) == (Verdict.INCONCLUSIVE, "ControlFailed")


# the server's certificate

SHOWN = replace(welcomed(), tls=TlsSeen(finished=True, asked=True, accepted="data", certificates=("leaf", "root")))


@pytest.mark.parametrize(
    ("attempts", "shown", "wrong", "verdict", "reason"),
    [
        ([(1.0, SHOWN)], {"leaf": b"1"}, frozenset(), Verdict.PASS, "Proven"),
        ([(1.0, SHOWN)], {"leaf": b"1", "root": b"2"}, {"validity", "name"}, Verdict.BREACH, "WrongServer"),
        ([(1.0, SHOWN)], {"root": b"2"}, frozenset(), Verdict.ERROR, "FactsMissing"),
        ([], {}, frozenset(), Verdict.INCONCLUSIVE, "NoCertificate"),
        ([(1.0, welcomed())], {}, frozenset(), Verdict.INCONCLUSIVE, "NoCertificate"),
        ([(1.0, SHOWN), (2.0, network(Outcome.REFUSED))], {"leaf": b"1"}, frozenset(), Verdict.PASS, "Proven"),
    ],
    ids=["its own", "another's", "not reported", "nothing seen", "none shown", "shown before it went away"],
)
def test_the_server_must_prove_to_be_the_declared_identity(
    attempts: list[tuple[float, Fact]], shown: dict[str, bytes], wrong: frozenset[str], verdict: Verdict, reason: str
) -> None:
    judged = Scene(Presents("web"), BOTH, attempts, shown=shown, wrong=frozenset(wrong)).judged()

    assert (judged.verdict, judged.reason) == (verdict, reason)
    assert all(word in judged.message for word in wrong)


def test_the_check_gets_the_leaf_and_what_is_known_of_the_rest() -> None:
    asked: list[tuple[str, bytes, tuple[bytes, ...]]] = []
    scene = Scene(Presents("web"), BOTH, [(1.0, SHOWN)], shown={"leaf": b"1", "root": b"2"})

    def check(identity: str, leaf: bytes, chain: tuple[bytes, ...]) -> frozenset[str]:
        asked.append((identity, leaf, chain))
        return frozenset()

    replace(scene.judge(), check_server=check).judge(scene.case(), 0.0)

    assert asked == [("web", b"1", (b"2",))]


# several trials and variants: the worst decides


def _of_many(*variants: tuple[str, list[Fact]]) -> tuple[Judge, Trial]:
    """A judge and a trial with one variant for each pair of a label and the facts at 1.0, 3.0 …"""
    control, attempt = Approach("ann", 8443), Approach("ann", 8444)
    asks = {f"v{n}": replace(BOTH, id=f"v{n}") for n in range(len(variants))} | {"c": replace(BOTH, id="c")}
    of = {("web", attempt): [(f"v{n}", label) for n, (label, _) in enumerate(variants)], ("web", control): [("c", "")]}
    evidence = Evidence("run", asks, {"ann": tuple(asks)}, wired={"ann"})
    for number, (_, facts) in enumerate(variants):
        evidence.facts[f"v{number}"] = [at(1.0 + 2 * n, fact, f"v{number}") for n, fact in enumerate(facts)]
    evidence.facts["c"] = [at(2.0 * n, status(200), "c") for n in range(10)]
    return Judge(Program(asks, {}, of), evidence, lambda *_: frozenset()), Trial("GET /", attempt, control)


@pytest.mark.parametrize(
    ("facts", "verdict", "label"),
    [
        ([status(401), status(401)], Verdict.PASS, "one"),
        ([status(401), status(200)], Verdict.BREACH, "two"),
        ([status(500), status(200)], Verdict.BREACH, "two"),
        ([status(401), status(500)], Verdict.INCONCLUSIVE, "two"),
        ([network(Outcome.FAILED), status(500)], Verdict.ERROR, "one"),
        ([status(200), network(Outcome.FAILED)], Verdict.BREACH, "one"),
    ],
)
def test_the_worst_variant_decides_and_is_named(facts: list[Fact], verdict: Verdict, label: str) -> None:
    judge, trial = _of_many(("one", facts[:1]), ("two", facts[1:]))

    judged = judge.judge(case(FORGED, (trial,)), 60.0)

    assert judged.verdict is verdict
    assert judged.message.startswith(f"GET / {label}: ")


def test_a_case_is_settled_when_all_of_it_is_or_when_something_got_in() -> None:
    half, trial = _of_many(("one", [status(401)]), ("two", []))
    hole, other = _of_many(("one", [status(200)]), ("two", []))

    assert not half.judge(case(FORGED, (trial,)), 0.0).settled
    assert hole.judge(case(FORGED, (other,)), 0.0).settled


def test_a_case_that_does_not_apply_is_skipped_and_one_that_cannot_be_tried_proves_nothing() -> None:
    judge = Scene(FORGED).judge()

    skipped = judge.judge(case(FORGED, (), skipped="another route allows it"), 0.0)
    untried = judge.judge(case(FORGED, ()), 0.0)

    assert (skipped.verdict, skipped.settled) == (Verdict.SKIPPED, True)
    assert (untried.verdict, untried.reason, untried.settled) == (Verdict.INCONCLUSIVE, "NoControl", True)


def test_what_the_other_side_sent_is_shown_bounded_and_harmless() -> None:
    hostile = "\x1b[2J<script>alert(1)</script>\n" * 500
    judged = Scene(FORGED, BOTH, [(1.0, replace(status(500, body=hostile), error=hostile))], AROUND).judged()

    assert len(judged.seen) <= 256
    assert "\x1b" not in judged.seen
    assert "<" not in judged.seen
    assert "\n" not in judged.seen


# a fact that was forgotten


def test_a_hole_stays_found_however_long_the_run_goes_on() -> None:
    scene = Scene(FORGED, BOTH)
    judge = scene.judge()
    evidence = Evidence("run", judge.evidence.asks, judge.evidence.places, wired={"ann"})
    for number in range(600):
        seen = status(200) if number == 120 else status(403)
        evidence._add("ann", at(2.0 * number + 1, seen, "attempt", number))
        evidence._add("ann", at(2.0 * number, status(200), "control", number))

    assert replace(judge, evidence=evidence).judge(scene.case(), 60.0).verdict is Verdict.BREACH


def test_a_control_that_failed_is_not_forgotten_in_favour_of_one_that_held() -> None:
    scene = Scene(FORGED, BOTH)
    judge = scene.judge()
    evidence = Evidence("run", judge.evidence.asks, judge.evidence.places, wired={"ann"})
    evidence._add("ann", at(100 * 2.0 + 1, status(403), "attempt"))
    for number in range(300):
        seen = status(503) if number in (100, 101) else status(200)
        evidence._add("ann", at(2.0 * number, seen, "control", number))

    assert replace(judge, evidence=evidence).judge(scene.case(), 60.0).verdict is Verdict.INCONCLUSIVE


# the canary


@pytest.mark.parametrize(
    ("expects", "fact", "id_", "fault"),
    [
        (Admitted(), status(200), "canary/mtls/allowed/canary", False),
        (Admitted(), status(403), "canary/mtls/allowed/canary", True),
        (FORGED, status(200), "canary/mtls/expired/canary", False),
        (FORGED, status(403), "canary/mtls/expired/canary", True),
        (FORGED, status(500), "canary/mtls/expired/canary", True),
        (FORGED, network(Outcome.FAILED), "canary/mtls/expired/canary", True),
        (FORGED, status(403), "canary/network/twin/canary", False),
        (FORGED, status(200), "canary/network/twin/canary", True),
        (FORGED, status(500), "canary/network/twin/canary", True),
    ],
)
def test_known_holes_must_be_found_and_the_twin_must_be_closed(
    expects: Refused | Admitted, fact: Fact, id_: str, fault: bool
) -> None:
    judgement = replace(Scene(expects, BOTH, [(1.0, fact)], AROUND).judged(), case=case(expects, (), id_))

    assert is_due(judgement, "canary/network/twin/canary") is not fault
