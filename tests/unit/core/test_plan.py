"""From cases to asks: each approach once, at its place, with its credential, as often as it may be tried."""

from __future__ import annotations

import pytest

from tests.unit.support import door, gateway, parsed
from zerotrust.contract import Cadence, Plan, load_plan
from zerotrust.contract import dump as dump_plan
from zerotrust.core import plan
from zerotrust.core.plan import CANARY_PORT, TWIN_CASE, TWIN_PORT, Door, Program, TokenRef, Wallet
from zerotrust.core.test import CANARY, OUTSIDE, parse
from zerotrust.core.test import Test as Parsed
from zerotrust.layers.base import OUTSIDER, Admitted, Case, Layer, Presents, Ref, Refused


def program(test: Parsed) -> tuple[Program, list[Case]]:
    """The program of a test and its canary, with a token ``<name>!`` for each reference, two for alg-none."""
    found = [*plan.cases(test), *plan.canary_cases()]
    boundaries = {b.name: b for b in (*test.boundaries, plan.canary())}
    doors = {name: Door(f"service-of-{name}", f"pod-of-{name}") for name in boundaries}
    tokens = {
        ref: tuple(
            (label, f"{ref.ref.name}!{label}") for label in (("a", "b") if ref.ref.forgery == "alg-none" else ("",))
        )
        for ref in plan.tokens(found, boundaries)
    }
    return plan.program(found, boundaries, doors, Wallet(tokens)), found


@pytest.fixture(scope="module")
def quickstart() -> tuple[Program, list[Case]]:
    return program(parse(gateway()))


def _asks(built: Program, found: list[Case], id_: str) -> list[str]:
    case = next(case for case in found if case.id == id_)
    return [ask for trial in case.trials for ask, _ in built.of[case.boundary, trial.approach]]


def test_every_trial_and_every_control_is_asked(quickstart: tuple[Program, list[Case]]) -> None:
    built, found = quickstart
    for case in found:
        for trial in case.trials:
            assert built.of[case.boundary, trial.approach]
            assert trial.control is None or built.of[case.boundary, trial.control]


def test_every_ask_is_made_at_exactly_one_place(quickstart: tuple[Program, list[Case]]) -> None:
    built, found = quickstart
    asked = [id_ for ids in built.places.values() for id_ in ids]

    assert sorted(asked) == sorted(built.asks)
    assert len(set(asked)) == len(asked)
    assert set(built.places) == set(plan.places(found))
    assert all(ask.id == id_ for id_, ask in built.asks.items())
    assert built.at("nowhere") == ()


def test_a_negative_and_its_control_are_tried_from_one_place(quickstart: tuple[Program, list[Case]]) -> None:
    """Else they would not go through the same network, and on clocks of two nodes."""
    built, found = quickstart
    place = {id_: where for where, ids in built.places.items() for id_ in ids}
    for case in found:
        for trial in case.trials:
            if trial.control and isinstance(case.expects, Refused) and case.definition.layer != "network":
                one = {place[id_] for id_, _ in built.of[case.boundary, trial.approach]}
                assert one == {place[id_] for id_, _ in built.of[case.boundary, trial.control]}, case.id


@pytest.mark.parametrize(
    ("id_", "cadence"),
    [
        ("orders/mtls/allowed/checkout", Cadence.CONTROL),
        ("orders/mtls/expired-certificate/checkout", Cadence.ROUND),
        ("orders/http/route-post-orders/checkout", Cadence.ONCE),
        ("orders/http/route-post-orders/reporting", Cadence.ROUND),
        ("orders/network/outsider/outsider", Cadence.ROUND),
    ],
)
def test_controls_are_repeated_refusals_tried_each_round_and_writes_made_once(
    quickstart: tuple[Program, list[Case]], id_: str, cadence: Cadence
) -> None:
    built, found = quickstart

    assert {built.asks[ask].cadence for ask in _asks(built, found, id_)} == {cadence}


def test_a_write_is_repeated_only_where_nothing_harmless_is_allowed() -> None:
    routes = [{"methods": ["POST"], "path": "/things", "allow": ["ann"]}]
    built, _ = program(parsed(boundaries=[door(http={"routes": routes}, jwt={"audience": "web", "allow": ["ann"]})]))

    writes = [
        a for a in built.asks.values() if a.request and a.request.method == "POST" and a.cadence is Cadence.CONTROL
    ]
    assert writes


def test_every_variant_of_a_forgery_is_an_ask_of_its_own(quickstart: tuple[Program, list[Case]]) -> None:
    built, found = quickstart
    case = next(case for case in found if case.id == "orders/jwt/alg-none/checkout")

    variants = built.of["orders", case.trials[0].approach]

    assert [label for _, label in variants] == ["a", "b"]
    headers = [dict(built.asks[id_].request.headers) for id_, _ in variants]  # type: ignore[union-attr]
    assert headers == [{"Authorization": f"Bearer checkout.alg-none!{label}"} for label in "ab"]


def test_asks_carry_what_their_approach_says(quickstart: tuple[Program, list[Case]]) -> None:
    built, found = quickstart
    (expired,) = (built.asks[id_] for id_ in _asks(built, found, "orders/mtls/expired-certificate/checkout"))
    (naked,) = (built.asks[id_] for id_ in _asks(built, found, "orders/mtls/plaintext/checkout"))
    (beside,) = (built.asks[id_] for id_ in _asks(built, found, "orders/network/neighbour-port/checkout"))

    assert expired.tls
    assert (expired.address, expired.tls.credential, expired.tls.sni) == (
        "service-of-orders",
        "checkout.expired-certificate",
        "orders",
    )
    assert naked.tls is None
    assert naked.request
    assert (beside.address, beside.port, beside.tls, beside.request) == ("pod-of-orders", 8444, None, None)


def test_only_a_welcome_certificate_is_not_given_time_for_an_alert(quickstart: tuple[Program, list[Case]]) -> None:
    built, found = quickstart

    def patience(id_: str) -> set[float]:
        return {built.asks[ask].tls.patience for ask in _asks(built, found, id_)}  # type: ignore[union-attr]

    assert patience("orders/mtls/allowed/checkout") == {0.0}
    assert patience("orders/jwt/no-token/checkout") == {0.0}
    for id_ in ("mtls/expired-certificate/checkout", "mtls/no-certificate/checkout", "mtls/wrong-identity/orders"):
        assert patience(f"orders/{id_}") == {plan.ALERT_PATIENCE}


def test_a_plan_survives_the_way_to_the_probe(quickstart: tuple[Program, list[Case]]) -> None:
    built, _ = quickstart
    for place in built.places:
        sent = Plan("run", place, built.at(place), 60.0, 18443)
        assert load_plan(dump_plan(sent)) == sent


def test_a_pods_own_port_is_asked_where_the_service_translates_it() -> None:
    """Service port 443 before container port 8443: the control at the pod must knock at 8443."""
    test = parsed(boundaries=[door(service={"name": "web", "zone": "shop", "port": 443})])
    found = plan.cases(test)
    beside = next(case for case in found if case.id == "web/network/neighbour-port/ann")
    whereabouts = Door("service", "pod", 8443)
    boundaries = {b.name: b for b in test.boundaries}

    built = plan.program([beside], boundaries, {"web": whereabouts}, Wallet({}))

    control, attempt = beside.trials[0].control, beside.trials[0].approach
    assert control
    assert {built.asks[id_].port for id_, _ in built.of["web", control]} == {8443}
    assert {built.asks[id_].port for id_, _ in built.of["web", attempt]} & {443, 8443} == set()


def test_credentials_are_those_that_approaches_and_controls_show(quickstart: tuple[Program, list[Case]]) -> None:
    _, found = quickstart
    test = parse(gateway())
    boundaries = {b.name: b for b in (*test.boundaries, plan.canary())}

    assert {Ref("checkout"), Ref("orders"), Ref(OUTSIDER), Ref("checkout", "no-san-certificate")} <= plan.certificates(
        found
    )
    assert TokenRef(Ref("checkout"), "orders") in plan.tokens(found, boundaries)
    assert {ref.audience for ref in plan.tokens(found, boundaries)} == {"orders", plan.CANARY_AUDIENCE}


def test_where_no_jwt_layer_is_declared_the_audience_is_the_boundarys_name() -> None:
    assert plan.audience(parsed(boundaries=[door(jwt=None)]).boundaries[0]) == "web"
    assert plan.audience(parsed().boundaries[0]) == "web"


# the canary


def test_the_canary_has_a_known_hole_for_every_case_of_every_layer() -> None:
    """Else a case that can no longer find anything would go unnoticed."""
    found = {(case.definition.layer, case.definition.name) for case in plan.canary_cases()}
    every = {(layer.name, name) for layer in Layer.registry.values() for name in layer.cases}

    # Another identity of the test cannot be asked: the canary has one client only.
    assert every - found <= {("network", "other-identity")}


def test_the_canary_is_tried_from_the_strangers_place_once_a_case() -> None:
    for case in plan.canary_cases():
        assert len(case.trials) == 1
        assert case.trials[0].approach.place == OUTSIDER
        assert case.boundary == CANARY
        assert isinstance(case.expects, (Admitted, Refused, Presents))


def test_the_twin_is_the_port_beside_the_canarys() -> None:
    twin = next(case for case in plan.canary_cases() if case.id == TWIN_CASE)

    assert (twin.trials[0].approach.port, TWIN_PORT) == (CANARY_PORT + 1, CANARY_PORT + 1)
    assert twin.trials[0].control
    assert twin.trials[0].control.port == CANARY_PORT


def test_the_canary_lives_outside_of_every_zone() -> None:
    assert (plan.canary().zone, plan.canary().identities) == (OUTSIDE, (CANARY,))
