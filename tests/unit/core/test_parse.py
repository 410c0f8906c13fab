"""A resource is understood, or refused with one message that says what to change."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import WEB, door, gateway, parsed, quick, resource
from zerotrust.api import reasons
from zerotrust.api.errors import Reject
from zerotrust.core.test import CANARY, OUTSIDE, parse
from zerotrust.layers.base import OUTSIDER


def refusal(**spec: Any) -> str:
    """The message with which a spec is refused."""
    with pytest.raises(Reject) as told:
        parse(resource(**spec))
    assert told.value.reason == reasons.INVALID_SPEC
    assert "\n" not in told.value.message
    assert len(told.value.message) < 1500
    return told.value.message


def people(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "zone": "shop", **more} for name in names]


def zones(*names: str) -> dict[str, Any]:
    return {"zones": [{"name": name, "manifests": [{"inline": WEB}]} for name in names]}


def routes(*found: dict[str, Any]) -> dict[str, Any]:
    return {"http": {"routes": list(found)}}


def run(**fields: Any) -> dict[str, Any]:
    return {"run": fields}


ANN = people("ann", "bob", "web")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an identity nobody declared, in network": (
        {"boundaries": [door(network={"allow": ["eve"]})]},
        "boundary web: network.allow names eve, who is not in identities",
    ),
    "an identity nobody declared, in mtls": ({"boundaries": [door(mtls={"allow": ["eve"]})]}, "mtls.allow names eve"),
    "an identity nobody declared, in jwt": (
        {"boundaries": [door(jwt={"audience": "a", "allow": ["eve"]})]},
        "jwt.allow names eve",
    ),
    "an identity nobody declared, on a route": (
        {"boundaries": [door(**routes({"methods": ["GET"], "path": "/", "allow": ["eve"]}))]},
        "http.allow names eve",
    ),
    "a server nobody declared": ({"boundaries": [door(server="eve")]}, "server eve is not in identities"),
    "two identities of one name": ({"identities": [*ANN, *people("ann")]}, "identities names ann twice"),
    "two boundaries of one name": ({"boundaries": [door(), door()]}, "boundaries names web twice"),
    "two zones of one name": ({"sandbox": zones("shop", "shop")}, "sandbox.zones names shop twice"),
    "an identity in no zone": ({"identities": [*ANN, {"name": "x", "zone": "moon"}]}, "identity x lives in zone moon"),
    "a service in no zone": (
        {"boundaries": [door(service={"name": "web", "zone": "moon", "port": 1})]},
        "service.zone moon is not in sandbox.zones",
    ),
    "a zone without manifests": ({"sandbox": {"zones": [{"name": "shop"}]}}, "has no manifests"),
    "the operator's own zone": ({"sandbox": zones("shop", OUTSIDE)}, f"zone {OUTSIDE} is the operator's own"),
    "a boundary without a layer": (
        {"boundaries": [door(network=None, mtls=None, jwt=None, http=None)]},
        "declare at least one layer: ",
    ),
    "jwt without http": ({"boundaries": [door(http=None)]}, "jwt needs http"),
    "a route for one whom mtls keeps out": (
        {"boundaries": [door(mtls={"allow": ["ann"]})]},
        "http.routes[0].allow names bob, which mtls.allow does not",
    ),
    "a route for one whom jwt keeps out": (
        {"boundaries": [door(jwt={"audience": "a", "allow": ["ann"]})]},
        "http.routes[0].allow names bob, which jwt.allow does not",
    ),
    "routes for identities whom nobody can tell apart": (
        {"boundaries": [door(mtls=None, jwt=None)]},
        "http routes that name identities need mtls or jwt",
    ),
    "a control that no route declares": (
        {"boundaries": [door(http={**door()["http"], "control": {"method": "GET", "path": "/elsewhere"}})]},
        "http.control",
    ),
    "a refusal that is a route's success": (
        {
            "boundaries": [
                door(
                    **routes({"methods": ["GET"], "path": "/", "allow": [], "success": [404]}),
                    refusals={"http": [{"status": 404}]},
                )
            ]
        },
        "refusals.http: status 404 is a route's success too",
    ),
    "a refusal of a layer that is not there": (
        {"boundaries": [door(jwt=None, refusals={"jwt": [{"status": 418}]})]},
        "refusals.jwt: the boundary declares no jwt",
    ),
    "a refusal that is a success": (
        {"boundaries": [door(refusals={"http": [{"status": 200}]})]},
        "status 200 alone is a success",
    ),
    "a claim that is the issuer's": ({"identities": [*people("ann", claims={"exp": 1}), *ANN[1:]]}, "claim exp"),
    "a schedule that is no cron": (run(schedule="every day"), "is not five-field cron"),
    "a schedule with seconds": (run(schedule="0 0 * * * *"), "is not five-field cron"),
    "a schedule by name": (run(schedule="@daily"), "is not five-field cron"),
    "a schedule out of range": (run(schedule="61 * * * *"), "is not five-field cron"),
    "a day that never comes": (run(schedule="0 0 30 2 *"), "run.schedule"),
    "a time zone that is none": (run(timeZone="Mars/Olympus"), "is not an IANA time zone"),
    "a time zone that is a path": (run(timeZone="../../etc/passwd"), "is not an IANA time zone"),
    "a time zone that is a folder": (run(timeZone="Europe"), "is not an IANA time zone"),
    "an empty time zone": (run(timeZone=""), "is not an IANA time zone"),
    "a waiver until no day": (
        {"waivers": [{"case": "*", "until": "2027-02-30", "reason": "x"}]},
        "until",
    ),
    "a field nobody knows": ({"colour": "red"}, "spec.colour: Extra inputs are not permitted"),
    "a port out of range": ({"boundaries": [door(service={"name": "w", "zone": "shop", "port": 0})]}, "service.port"),
    "too many identities": ({"identities": people(*(f"i{n}" for n in range(65)))}, "at most 64"),
    "too many zones": ({"sandbox": zones(*(f"z{n}" for n in range(9)))}, "at most 8"),
    "too many routes": (
        {"boundaries": [door(**routes(*({"methods": ["GET"], "path": f"/{n}", "allow": []} for n in range(65))))]},
        "at most 64",
    ),
    "an odd duration": (run(timeout="5 minutes"), "spec.run.timeout"),
    "a control without a path": (
        {
            "boundaries": [
                door(http={"routes": [{"methods": ["GET"], "path": "/", "allow": []}], "control": {"method": "GET"}})
            ]
        },
        "control needs a method and a path",
    ),
    "a path that is none": (
        {"boundaries": [door(**routes({"methods": ["GET"], "path": "things", "allow": []}))]},
        "path",
    ),
    "a header that breaks the line": (
        {
            "boundaries": [
                door(
                    **routes(
                        {"methods": ["GET"], "path": "/", "allow": [], "request": {"headers": {"X": "a\r\nEvil: 1"}}}
                    )
                )
            ]
        },
        "headers",
    ),
    "a boundary with the canary's name": ({"boundaries": [door(name=CANARY)]}, CANARY),
    "a label key that no label may have": (
        {"identities": [*people("ann", podLabels={"a b": "c"}), *ANN[1:]]},
        "podLabels",
    ),
    **{
        f"the operator's own name {name}": ({"identities": [*ANN, *people(name)]}, f"identity {name}")
        for name in (OUTSIDER, CANARY, "anonymous")
    },
}


@pytest.mark.parametrize(("spec", "words"), REFUSED.values(), ids=REFUSED)
def test_what_contradicts_itself_is_refused_in_one_clear_message(spec: dict[str, Any], words: str) -> None:
    assert words in refusal(**spec)


def test_every_problem_is_told_at_once_but_not_too_many() -> None:
    two = refusal(boundaries=[door(server="eve", network={"allow": ["mallory"]})])
    many = refusal(identities=[*ANN, *({"name": f"x{n}", "zone": "moon"} for n in range(9))])

    assert "server eve" in two
    assert "mallory" in two
    assert many.endswith("; and 4 more")


@pytest.mark.parametrize("spec", [None, {}, [], "x", 5, {"sandbox": 5}, {"sandbox": {"zones": [5]}}])
def test_a_spec_that_is_none_is_refused(spec: Any) -> None:
    with pytest.raises(Reject):
        parse({"metadata": resource()["metadata"], "spec": spec})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in _places(item, (*path, key)))]


@quick
@given(st.data(), json_values)
def test_no_value_anywhere_is_another_exception(data: st.DataObject, value: Any) -> None:
    whole = resource(run={"schedule": "0 * * * *", "timeZone": "Etc/UTC"})
    path = data.draw(st.sampled_from([place for place in _places(whole["spec"]) if place]))
    inner = whole["spec"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value

    with suppress(Reject):
        parse(whole)


def test_the_quickstart_is_understood() -> None:
    test = parse(gateway())

    assert (test.namespace, test.name, test.uid, test.generation, test.rerun) == ("team-shop", "shop", "1234", 1, "")
    assert list(test.identities) == ["orders", "checkout", "reporting"]
    assert test.identities["checkout"].spiffe_id == "spiffe://shop.test/ns/shop/sa/checkout"
    assert test.identities["checkout"].claims == {"scope": "orders.write"}
    assert test.boundaries[0].served == {8443}


def test_the_stranger_and_the_canary_live_outside() -> None:
    everyone = parsed().all_identities

    assert {everyone[name].zone for name in (OUTSIDER, CANARY)} == {OUTSIDE}
    assert set(everyone) == {"web", "ann", "bob", OUTSIDER, CANARY}


def test_a_request_for_a_rerun_is_read_from_the_annotation() -> None:
    whole = resource()
    whole["metadata"]["annotations"] = {"zerotrust.dev/rerun-requested-at": "now"}

    assert parse(whole).rerun == "now"


@pytest.mark.parametrize(
    ("names", "host"), [({"dnsNames": ["web.example", "web"]}, "web.example"), ({}, "service"), (None, "service")]
)
def test_a_door_is_called_by_its_servers_first_name_else_by_its_services(
    names: dict[str, Any] | None, host: str
) -> None:
    boundary = door(server=None if names is None else "web", service={"name": "service", "zone": "shop", "port": 1})
    identities = [*people("ann", "bob"), {"name": "web", "zone": "shop", **(names or {})}]

    assert parsed(identities=identities, boundaries=[boundary]).boundaries[0].host == host


def test_ports_of_one_service_are_known_to_all_its_boundaries() -> None:
    doors = [door(name=f"d{p}", service={"name": "web", "zone": "shop", "port": p}) for p in (80, 81)]

    assert [b.served for b in parsed(boundaries=doors).boundaries] == [{80, 81}, {80, 81}]


def test_a_route_is_for_nobody_whom_the_inner_layers_shut_out_even_where_the_network_does_too() -> None:
    system = gateway()
    system["spec"]["boundaries"][0]["http"]["routes"][0]["allow"] = ["orders"]
    with pytest.raises(Reject, match=r"names orders, which mtls\.allow does not"):
        parse(system)
