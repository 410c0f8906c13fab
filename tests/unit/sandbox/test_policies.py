"""Generated NetworkPolicies are exactly the declared grants, by an evaluator that does not know how they are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import quick, resource
from zerotrust.core.plan import CANARY_PORT, TWIN_PORT
from zerotrust.core.test import Test as Parsed
from zerotrust.core.test import parse
from zerotrust.sandbox import policies
from zerotrust.sandbox.names import Object, Owner
from zerotrust.sandbox.policies import NAMESPACE_NAME, target_port
from zerotrust.sandbox.probes import canary_labels

OWNER = Owner("r1", "uid", "team/shop")
DNS = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "kube-system"}}}


@dataclass(frozen=True)
class Pod:
    """A pod as policies see it."""

    namespace: str
    labels: frozenset[tuple[str, str]]


def pod(namespace: str, **labels: str) -> Pod:
    return Pod(namespace, frozenset(labels.items()))


# the evaluator, from the API reference of NetworkPolicy


def _selects(selector: dict[str, Any], labels: Iterable[tuple[str, str]]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return set(selector.get("matchLabels", {}).items()) <= set(labels)


def _is_peer(peer: dict[str, Any], own: str, other: Pod) -> bool:
    assert peer
    assert set(peer) <= {"namespaceSelector", "podSelector"}
    where = (
        _selects(peer["namespaceSelector"], [(NAMESPACE_NAME, other.namespace)])
        if "namespaceSelector" in peer
        else other.namespace == own
    )
    return where and _selects(peer.get("podSelector", {}), other.labels)


def _rule_allows(rule: dict[str, Any], key: str, own: str, other: Pod, port: int | str, protocol: str) -> bool:
    peers, ports = rule.get(key), rule.get("ports")
    # Of a rule, an empty or missing list means everything.
    right = not peers or any(_is_peer(peer, own, other) for peer in peers)
    return right and (not ports or any(p["port"] == port and p.get("protocol", "TCP") == protocol for p in ports))


def _side(found: list[Object], kind: str, own: Pod, other: Pod, port: int | str, protocol: str) -> bool:
    key, rules = ("from", "ingress") if kind == "Ingress" else ("to", "egress")
    mine = [
        item["spec"]
        for item in found
        if item["metadata"]["namespace"] == own.namespace
        and kind in item["spec"]["policyTypes"]
        and _selects(item["spec"]["podSelector"], own.labels)
    ]
    return not mine or any(
        _rule_allows(rule, key, own.namespace, other, port, protocol) for spec in mine for rule in spec.get(rules, ())
    )


def allowed(found: list[Object], source: Pod, target: Pod, port: int | str, protocol: str = "TCP") -> bool:
    """Whether the policies let a connection through: out of the source and into the target."""
    out = _side(found, "Egress", source, target, port, protocol)
    return out and _side(found, "Ingress", target, source, port, protocol)


# tests and their worlds


def service(name: str, port: int, target: int | str | None = None, selector: dict[str, str] | None = None) -> Object:
    item: dict[str, Any] = {"port": port}
    if target is not None:
        item["targetPort"] = target
    chosen = {"app": name} if selector is None else selector
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"ports": [item], "selector": chosen}}


def generated(test: Parsed, services: dict[tuple[str, str], Object], dns: tuple[Any, ...] = ()) -> list[Object]:
    """All policies of a sandbox, as a run creates them."""
    found: list[Object] = [policies.canary(OWNER)]
    for zone in test.spec.sandbox.zones:
        own = {name: item for (where, name), item in services.items() if where == zone.name}
        found += policies.zone_policies(OWNER, test, zone.name, own, dns)
        found += policies.grants_out(OWNER, test, zone.name, services)
    return found


NAMES, ZONES = ("a", "b", "c", "d"), ("one", "two")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Parsed, dict[tuple[str, str], Object]]:
    """A test with identities in two zones, each with labels of its own, and a boundary for some of them."""
    identities = []
    for name in NAMES:
        identity: dict[str, Any] = {"name": name, "zone": draw(st.sampled_from(ZONES))}
        if draw(st.booleans()):
            identity["podLabels"] = {"app": name, **draw(st.sampled_from([{}, {"tier": "x"}]))}
        identities.append(identity)
    boundaries, services = [], {}
    for number in range(draw(st.integers(1, 3))):
        zone, name = draw(st.sampled_from(ZONES)), f"s{number}"
        port = draw(st.sampled_from([443, 8443]))
        item: dict[str, Any] = {"name": f"b{number}", "service": {"name": name, "zone": zone, "port": port}}
        allow = draw(st.none() | st.lists(st.sampled_from(NAMES), unique=True))
        item |= {"mtls": {"allow": []}} if allow is None else {"network": {"allow": allow}}
        boundaries.append(item)
        services[zone, name] = service(name, port, draw(st.sampled_from([None, 8443, 9000, "https"])))
    zones = [{"name": zone, "manifests": [{"inline": "x"}]} for zone in ZONES]
    return parse(resource(sandbox={"zones": zones}, identities=identities, boundaries=boundaries)), services


@quick
@given(worlds())
def test_exactly_the_declared_grants_get_through(world: tuple[Parsed, dict[tuple[str, str], Object]]) -> None:
    test, services = world
    found = generated(test, services)
    people = {
        identity.name: Pod(OWNER.namespace(identity.zone), frozenset(policies.pod_labels(identity).items()))
        for identity in test.spec.identities
    }
    strangers = [pod(OWNER.outside), pod("elsewhere", app="a"), *(pod(OWNER.namespace(zone)) for zone in ZONES)]
    doors = {boundary.name: pod(OWNER.namespace(boundary.zone), app=boundary.service) for boundary in test.boundaries}
    for boundary in test.boundaries:
        port = target_port(services[boundary.zone, boundary.service], boundary.port)
        for name, source in people.items():
            spec: Any = boundary.specs.get("network")
            due = spec is None or name in spec.allow
            assert allowed(found, source, doors[boundary.name], port) == due, (name, boundary.name)
            assert not allowed(found, source, doors[boundary.name], 1)
            assert not allowed(found, source, doors[boundary.name], port, "UDP")
        for stranger in strangers:
            assert not allowed(found, stranger, doors[boundary.name], port)


@quick
@given(worlds())
def test_nothing_is_open_that_no_boundary_declares(world: tuple[Parsed, dict[tuple[str, str], Object]]) -> None:
    test, services = world
    found = generated(test, services)
    people = [
        Pod(OWNER.namespace(identity.zone), frozenset(policies.pod_labels(identity).items()))
        for identity in test.spec.identities
    ]
    for source in people:
        for target in (*people, pod("elsewhere"), pod(OWNER.outside, app="s0")):
            assert not any(allowed(found, source, target, port) for port in (80, 443, 8443, 9000, "https", 53))


def small(**labels: Any) -> Parsed:
    boundary = {"name": "web", "service": {"name": "web", "zone": "shop", "port": 443}, "network": {"allow": ["ann"]}}
    people = [{"name": name, "zone": "shop", "podLabels": {"app": name}} for name in ("ann", "bob", "web")]
    return parse(resource(boundaries=[boundary], identities=people, **labels))


def test_a_service_without_a_selector_opens_nothing() -> None:
    """It names no pods: an empty selector in a policy would name them all."""
    found = generated(small(), {("shop", "web"): service("web", 443, selector={})})
    ann, bob = (pod(OWNER.namespace("shop"), app=name) for name in ("ann", "bob"))

    assert not allowed(found, ann, bob, 443)


def test_dns_is_open_only_to_the_resolvers_and_only_where_some_are_known() -> None:
    known, unknown = generated(small(), {}, (DNS,)), generated(small(), {})
    ann, resolver = pod(OWNER.namespace("shop"), app="ann"), pod("kube-system", **{"k8s-app": "kube-dns"})

    assert allowed(known, ann, resolver, 53, "UDP")
    assert allowed(known, ann, resolver, 53, "TCP")
    assert not allowed(known, ann, resolver, 443)
    assert not allowed(known, ann, pod("elsewhere"), 53, "UDP")
    assert not allowed(unknown, ann, resolver, 53, "UDP")


def test_the_canarys_door_is_open_to_all_and_its_twin_to_nobody() -> None:
    found = generated(small(), {})
    target = Pod(OWNER.outside, frozenset(canary_labels().items()))

    assert allowed(found, pod(OWNER.outside), target, CANARY_PORT)
    assert not allowed(found, pod(OWNER.outside), target, TWIN_PORT)


@pytest.mark.parametrize(
    ("ports", "port", "target"),
    [
        ([{"port": 443, "targetPort": 8443}], 443, 8443),
        ([{"port": 443, "targetPort": "https"}], 443, "https"),
        ([{"port": 443}], 443, 443),
        ([{"port": 443, "targetPort": 0}], 443, 443),
        ([{"port": 80, "targetPort": 1}, {"port": 443, "targetPort": 2}], 443, 2),
        ([], 443, 443),
        (None, 443, 443),
    ],
)
def test_the_pods_port_behind_a_services_port_is_found(ports: Any, port: int, target: int | str) -> None:
    assert target_port({"spec": {"ports": ports}}, port) == target


def test_policies_are_the_runs_own_and_uniquely_named() -> None:
    found = generated(small(), {("shop", "web"): service("web", 443)}, (DNS,))
    names = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found]

    assert len(set(names)) == len(names)
    assert all(item["metadata"]["labels"] == OWNER.labels for item in found)
