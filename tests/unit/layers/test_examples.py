"""Declarations that an author may well write, and what must follow from them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.support import boundary, door, gateway, parsed
from zerotrust.core import plan
from zerotrust.core.test import parse
from zerotrust.layers.base import Admitted, Boundary, Case, Presents, Refused, Via

GATEWAY_NETWORK = """
allowed/checkout allowed/reporting other-identity/orders outsider/outsider
neighbour-port/checkout neighbour-port/reporting
"""
EACH_CERTIFICATE = """
allowed no-certificate expired-certificate not-yet-valid-certificate self-signed-certificate other-ca same-name-ca
no-san server-auth-only plaintext
longer-identity shorter-identity deeper-identity other-zone-identity other-domain-identity embedded-identity
other-case-identity loose-pattern-identity common-name-identity issued-by-leaf revoked-certificate
"""
EACH_TOKEN = """
allowed no-token garbage-token tampered-payload bad-signature other-key alg-none algorithm-confusion expired-token
not-yet-valid-token no-expiry wrong-issuer wrong-audience no-audience
"""
EACH_PATH = "dot-segments double-slash encoded-dot encoded-slash encoded-letter suffix case"
ROUTES = "route-post-orders route-get-orders route-get-healthz"


def _golden() -> list[str]:
    both = ("checkout", "reporting")
    names = [
        *(f"network/{item}" for item in GATEWAY_NETWORK.split()),
        *(f"mtls/{item}/{who}" for item in EACH_CERTIFICATE.split() for who in both),
        *(f"mtls/wrong-identity/{who}" for who in ("orders", "outsider")),
        *(f"mtls/{item}/checkout" for item in ("server-certificate", "old-version", "other-server-name")),
        *(f"jwt/{item}/{who}" for item in EACH_TOKEN.split() for who in both),
        *(f"jwt/other-identity/{who}" for who in ("orders", "reporting", "outsider")),
        *(f"http/{item}/{who}" for item in ROUTES.split() for who in ("orders", *both)),
        *(f"http/{item}/{who}" for item in ("undeclared-path", "undeclared-method") for who in both),
        *(f"http/path-{item}/reporting" for item in EACH_PATH.split()),
    ]
    return [f"orders/{name}" for name in names]


def test_the_quickstart_has_exactly_these_cases() -> None:
    assert sorted(case.id for case in plan.cases(parse(gateway()))) == sorted(_golden())


def test_the_quickstart_lets_in_exactly_those_whom_it_names() -> None:
    admitted = {case.id for case in plan.cases(parse(gateway())) if isinstance(case.expects, Admitted)}

    assert admitted == {
        *(f"orders/{layer}/allowed/{who}" for layer in ("network", "mtls", "jwt") for who in ("checkout", "reporting")),
        "orders/http/route-post-orders/checkout",
        *(f"orders/http/route-get-{path}/{who}" for path in ("orders", "healthz") for who in ("checkout", "reporting")),
    }


def _cases(world: Boundary) -> dict[str, Case]:
    return {case.id.removeprefix("web/"): case for case in world.cases()}


def _calls(case: Case) -> list[str]:
    return [f"{t.approach.call.method} {t.approach.call.target}" for t in case.trials if t.approach.call]


def test_a_place_without_access_has_its_certificate_tried_from_one_that_has() -> None:
    found = _cases(boundary(network={"allow": ["ann"]}, mtls={"allow": ["ann", "bob"]}))

    trial = found["mtls/allowed/bob"].trials[0]
    assert trial.approach.place == "ann"
    assert trial.approach.certificate
    assert trial.approach.certificate.identity == "bob"


def test_an_identity_whom_only_the_network_keeps_out_is_not_expected_to_be_refused_by_the_application() -> None:
    """It is tried from a place with access, where nothing that is declared refuses it."""
    found = _cases(
        boundary(
            ("ann", "bob"),
            network={"allow": ["ann"]},
            mtls={"allow": ["ann", "bob"]},
            http={"routes": [{"methods": ["GET"], "path": "/things", "allow": ["ann", "bob"]}]},
        )
    )

    assert not isinstance(found["http/route-get-things/bob"].expects, Refused)


def test_anyone_from_a_place_with_access_is_anyone() -> None:
    found = _cases(
        boundary(
            ("ann", "bob"),
            network={"allow": ["ann"]},
            http={"routes": [{"methods": ["GET"], "path": "/health", "allow": "Anyone"}]},
        )
    )

    assert not isinstance(found["http/route-get-health/bob"].expects, Refused)


WILDCARDS: list[dict[str, Any]] = [
    {"methods": ["GET"], "path": "/things/*", "allow": ["ann"]},
    {"methods": ["GET"], "path": "/things/1", "allow": ["bob"]},
]


def test_a_path_that_a_wildcard_covers_is_open_to_whom_the_wildcard_names() -> None:
    found = _cases(boundary(("ann", "bob"), http={"routes": WILDCARDS}))

    assert (
        not isinstance(found["http/route-get-things-1/ann"].expects, Refused)
        or not found["http/route-get-things-1/ann"].trials
    )


def test_a_method_that_a_wildcard_declares_is_not_undeclared_below_it() -> None:
    routes = [{"methods": ["POST"], "path": "/things/*", "allow": ["ann"]}, {**WILDCARDS[1], "allow": ["ann"]}]

    found = _cases(boundary(("ann",), http={"routes": routes}))

    assert "POST /things/1" not in _calls(found["http/undeclared-method/ann"])


def test_a_spelling_that_another_route_allows_is_no_way_around() -> None:
    routes = [
        {"methods": ["POST"], "path": "/things", "allow": ["ann"]},
        {"methods": ["POST"], "path": "/things/*", "allow": ["ann", "bob"]},
    ]

    found = _cases(boundary(("ann", "bob"), http={"routes": routes}))

    assert "POST /things/zerotrust" not in _calls(found["http/path-suffix/bob"])
    assert "POST /things/" not in _calls(found["http/path-suffix/bob"])
    assert "POST /things.json" in _calls(found["http/path-suffix/bob"])


def test_a_control_that_asks_for_no_token_is_not_used_to_try_tokens() -> None:
    found = _cases(
        boundary(
            ("ann",),
            jwt={"audience": "web"},
            http={
                "routes": [
                    {"methods": ["GET"], "path": "/health", "allow": "Anyone"},
                    {"methods": ["POST"], "path": "/things", "allow": ["ann"]},
                ],
                "control": {"method": "GET", "path": "/health"},
            },
        )
    )

    assert _calls(found["jwt/no-token/ann"]) == ["POST /things"]


def test_a_declared_control_is_what_positives_repeat() -> None:
    found = _cases(
        boundary(
            ("ann",),
            mtls={"allow": ["ann"]},
            jwt={"audience": "web"},
            http={
                "routes": [{"methods": ["POST", "GET"], "path": "/things", "allow": ["ann"]}],
                "control": {"method": "GET", "path": "/things", "headers": {"X-A": "b"}},
            },
        )
    )

    for name in ("mtls/expired-certificate/ann", "jwt/no-token/ann", "http/undeclared-path/ann"):
        control = found[name].trials[0].control
        assert control
        assert control.call
        assert (control.call.target, control.call.headers) == ("/things", (("X-A", "b"),))


@pytest.mark.parametrize("path", ["//", "///", "/", "/*", "/%", "/?a=b", "/#", "/;", "/.", "/..", "/~", "/1", "/Z"])
def test_no_path_that_may_be_declared_breaks_the_derivation(path: str) -> None:
    routes = [{"methods": ["GET"], "path": path, "allow": ["ann"]}]

    assert _cases(boundary(jwt={"audience": "web"}, http={"routes": routes}))


def test_routes_whose_names_would_be_the_same_are_told_apart() -> None:
    paths = ["/a-b", "/a/b", "/a_b", "/A/b", "/" + "x" * 80 + "1", "/" + "x" * 80 + "2"]
    routes = [{"methods": ["GET"], "path": path, "allow": ["ann"]} for path in paths]

    found = [id_ for id_ in _cases(boundary(("ann",), http={"routes": routes})) if id_.startswith("http/route-")]

    assert len(found) == len(paths)


def test_a_route_keeps_its_name_wherever_it_stands() -> None:
    routes = [{"methods": ["GET"], "path": path, "allow": ["ann"]} for path in ("/a-b", "/a/b")]

    def named(order: list[dict[str, Any]]) -> dict[str, list[str]]:
        found = _cases(boundary(("ann",), http={"routes": order}))
        return {id_: _calls(case) for id_, case in found.items() if id_.startswith("http/route-")}

    assert named(routes) == named(routes[::-1])


def test_where_everyone_may_use_every_route_spellings_are_tried_without_a_token() -> None:
    routes = [{"methods": ["GET"], "path": "/things", "allow": ["ann", "bob"]}]

    found = _cases(boundary(("ann", "bob"), jwt={"audience": "web"}, http={"routes": routes}))

    trial = found["http/path-double-slash/ann"].trials[0]
    assert trial.approach.token is None
    assert trial.control
    assert trial.control.token


def test_where_nobody_may_pass_the_network_readiness_stands_in() -> None:
    found = _cases(boundary(("ann",), network={"allow": []}))

    assert sorted(found) == ["network/other-identity/ann", "network/outsider/outsider"]
    assert all(trial.control is None for case in found.values() for trial in case.trials)


def test_where_no_certificate_is_accepted_readiness_stands_in() -> None:
    found = _cases(boundary(("ann",), network={"allow": ["ann"]}, mtls={"allow": []}))

    assert found["mtls/wrong-identity/ann"].trials[0].control is None
    assert found["mtls/wrong-identity/outsider"].trials[0].approach.place == "ann"


def test_the_neighbouring_port_is_none_that_is_declared() -> None:
    for served in ((8443,), (8443, 8444), (8443, 8444, 8442, 8445)):
        doors = [door(name=f"d{p}", service={"name": "web", "zone": "shop", "port": p}) for p in served]
        test = parsed(boundaries=doors)
        for case in plan.cases(test):
            if "neighbour-port" in case.id:
                assert case.trials[0].approach.port not in served
                assert case.trials[0].approach.via is Via.POD


def test_the_neighbouring_port_is_none_that_another_service_of_the_zone_declares() -> None:
    """Two Services often stand before the same pods: API and admin, for instance."""
    other = door(name="admin", service={"name": "web-admin", "zone": "shop", "port": 8444})

    for case in plan.cases(parsed(boundaries=[door(), other])):
        if "neighbour-port" in case.id:
            assert case.trials[0].approach.port not in (8443, 8444), case.id


@pytest.mark.parametrize("port", [1, 65535])
def test_the_neighbouring_port_exists(port: int) -> None:
    test = parsed(boundaries=[door(service={"name": "web", "zone": "shop", "port": port})])

    ports = {t.approach.port for case in plan.cases(test) if "neighbour-port" in case.id for t in case.trials}
    assert ports
    assert all(0 < p < 65536 for p in ports)


def test_the_server_is_asked_who_it_is_where_one_is_declared() -> None:
    named, unnamed = parsed(), parsed(boundaries=[door(server=None)])

    assert [c.expects for c in plan.cases(named) if "server-certificate" in c.id] == [Presents("web")]
    assert not [c for c in plan.cases(unnamed) if "server-certificate" in c.id]


def test_a_layer_that_is_not_declared_has_no_case() -> None:
    for gone in ("network", "mtls", "jwt"):
        assert not [c for c in plan.cases(parsed(boundaries=[door(**{gone: None})])) if f"/{gone}/" in c.id]


def test_an_example_request_is_what_a_route_sends() -> None:
    request = {"path": "/things/42", "headers": {"Content-Type": "application/json"}, "body": "{}"}
    routes = [{"methods": ["PUT"], "path": "/things/*", "allow": ["ann"], "request": request, "success": [204]}]

    call = _cases(boundary(("ann",), http={"routes": routes}))["http/route-put-things/ann"].trials[0].approach.call

    assert call
    assert (call.method, call.target, call.body, call.success) == ("PUT", "/things/42", "{}", (204,))


def test_a_difference_is_told_in_names() -> None:
    found = _cases(boundary(("ann",), mtls={"allow": ["ann"]}))
    expired, none = found["mtls/expired-certificate/ann"].trials[0], found["mtls/no-certificate/ann"].trials[0]

    assert expired.control
    assert none.control
    assert expired.approach.difference(expired.control) == "certificate: ann.expired-certificate"
    assert none.approach.difference(none.control) == "certificate: none"
