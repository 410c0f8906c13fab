"""NetworkPolicies of a sandbox: default deny, exactly the declared grants, and the canary's one open door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zerotrust.api.resource import IdentitySpec
from zerotrust.core.plan import CANARY_PORT
from zerotrust.core.test import Test
from zerotrust.layers.base import Boundary
from zerotrust.layers.network import network
from zerotrust.sandbox.names import CANARY_LABEL, IDENTITY, Object, Owner

NAMESPACE_NAME = "kubernetes.io/metadata.name"


def pod_labels(identity: IdentitySpec) -> dict[str, str]:
    """Labels by which an identity's pods are known."""
    return dict(identity.pod_labels) or {IDENTITY: identity.name}


def policy(owner: Owner, namespace: str, name: str, spec: Mapping[str, Any]) -> Object:
    """A NetworkPolicy of the operator's own."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": owner.labels},
        "spec": dict(spec),
    }


def canary(owner: Owner) -> Object:
    """One of the canary's two listening ports is open to all; the other, its twin, to nobody."""
    return policy(
        owner,
        owner.outside,
        "canary",
        {
            "podSelector": {"matchLabels": {CANARY_LABEL: "true"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": CANARY_PORT, "protocol": "TCP"}]}],
        },
    )


def zone_policies(
    owner: Owner, test: Test, zone: str, services: Mapping[str, Object], dns: Sequence[Mapping[str, Any]]
) -> Iterable[Object]:
    """A zone's generated policies; ``services`` are the zone's Services by name, as manifests or as they exist."""
    namespace = owner.namespace(zone)
    yield policy(owner, namespace, "default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    if dns:
        ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
        yield policy(
            owner,
            namespace,
            "dns",
            {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": list(dns), "ports": ports}]},
        )
    for boundary in test.boundaries:
        # A Service without a selector names no pods; an empty selector in a policy would name them all.
        if boundary.zone == zone and boundary.service in services and _selector(services[boundary.service]):
            yield _ingress(owner, test, boundary, services[boundary.service])


def grants_out(owner: Owner, test: Test, zone: str, services: Mapping[tuple[str, str], Object]) -> Iterable[Object]:
    """Egress of each identity of a zone to what it may reach; ``services`` by (zone, name)."""
    for identity in test.spec.identities:
        if identity.zone != zone:
            continue
        rules = [
            {
                "to": [_pods(owner, boundary.zone, services[boundary.zone, boundary.service])],
                "ports": _ports(service, boundary),
            }
            for boundary in test.boundaries
            if network.admits(boundary, identity.name)
            and (service := services.get((boundary.zone, boundary.service)))
            and _selector(service)
        ]
        if rules:
            yield policy(
                owner,
                owner.namespace(zone),
                f"egress-of-{identity.name}",
                {
                    "podSelector": {"matchLabels": pod_labels(identity)},
                    "policyTypes": ["Egress"],
                    "egress": rules,
                },
            )


def _ingress(owner: Owner, test: Test, boundary: Boundary, service: Object) -> Object:
    peers = [
        {
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: owner.namespace(identity.zone)}},
            "podSelector": {"matchLabels": pod_labels(identity)},
        }
        for identity in test.spec.identities
        if network.admits(boundary, identity.name)
    ]
    ingress = [{"from": peers, "ports": _ports(service, boundary)}] if peers else []
    return policy(
        owner,
        owner.namespace(boundary.zone),
        f"ingress-of-{boundary.name}",
        {
            "podSelector": {"matchLabels": _selector(service)},
            "policyTypes": ["Ingress"],
            "ingress": ingress,
        },
    )


def _pods(owner: Owner, zone: str, service: Object) -> dict[str, Any]:
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: owner.namespace(zone)}},
        "podSelector": {"matchLabels": _selector(service)},
    }


def _selector(service: Object) -> dict[str, str]:
    return dict(service["spec"].get("selector") or {})


def _ports(service: Object, boundary: Boundary) -> list[dict[str, Any]]:
    return [{"port": target_port(service, boundary.port), "protocol": "TCP"}]


def target_port(service: Object, port: int) -> int | str:
    """The pod's port behind a Service's port, by number or by name; the same number where nothing is said."""
    for item in service["spec"].get("ports") or ():
        if item.get("port") == port:
            target: int | str = item.get("targetPort") or port
            return target
    return port
