"""Network: may this place open a connection at all? (NetworkPolicy; NIST SP 800-53r5 AC-4, SC-7(5))"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from zerotrust.layers.base import (
    OUTSIDER,
    Admitted,
    Approach,
    Boundary,
    Call,
    Draft,
    Layer,
    Refused,
    Trial,
    Via,
    outcomes,
)
from zerotrust.layers.names import Names, Spec

REFUSALS = outcomes("TimedOut", "Prohibited")
"""A drop or an ICMP answer. `Connection refused` is none: the packet arrived and nobody listened."""


class NetworkSpec(Spec):
    """Who may open a connection to the service's port."""

    allow: Annotated[Names, Field(description="Identities that may open a connection.")]


class NetworkLayer(Layer[NetworkSpec]):
    """Decides by the place a connection comes from."""

    def admits(self, boundary: Boundary, identity: str) -> bool:
        spec = self.of(boundary)
        return spec is None or identity in spec.allow

    def lets(self, boundary: Boundary, identity: str, call: Call) -> bool:
        """Its good approach is made from a place that has access, its own or another's."""
        return True

    def dress(self, boundary: Boundary, identity: str, approach: Approach) -> Approach:
        """From the identity's own place where that has access, else from the first place that has."""
        if self.admits(boundary, identity):
            return replace(approach, place=identity)
        spec = self.of(boundary)
        return replace(approach, place=spec.allow[0] if spec and spec.allow else "")


network = NetworkLayer("network", NetworkSpec, order=10)

_POLICY = ("NIST SP 800-53r5 AC-4", "NIST SP 800-53r5 SC-7(5)", "NIST SP 800-207 tenet 2")


def _connect(boundary: Boundary, place: str) -> Approach:
    return Approach(place=place, port=boundary.port)


def _trusted(boundary: Boundary) -> list[str]:
    return [name for name in boundary.identities if network.admits(boundary, name)]


def _refused_from(boundary: Boundary, place: str) -> Draft:
    trusted = _trusted(boundary)
    control = _connect(boundary, trusted[0]) if trusted else None
    return Draft(place, Refused(REFUSALS), (Trial("", _connect(boundary, place), control),))


@network.case(
    motive="A policy that shuts out the trusted breaks production, and makes every refusal meaningless.",
    remedy="Allow ingress to the service's port from this identity's pods, and their egress to it.",
    references=_POLICY,
)
def allowed(boundary: Boundary) -> Iterator[Draft]:
    """A place that may connect gets a connection."""
    for name in _trusted(boundary):
        approach = _connect(boundary, name)
        yield Draft(name, Admitted(), (Trial("", approach, approach),))


@network.case(
    motive="A stolen workload reaches whatever the network lets it reach: lateral movement starts here.",
    remedy="Deny ingress by default in the zone and allow only the declared identities' pods.",
    references=(*_POLICY, "ATT&CK T1021"),
)
def other_identity(boundary: Boundary) -> Iterator[Draft]:
    """Another identity of the test, without a grant, cannot connect."""
    for name in boundary.identities:
        if not network.admits(boundary, name):
            yield _refused_from(boundary, name)


@network.case(
    motive="Any tenant of the cluster could knock on this door; only the network keeps strangers from it.",
    remedy="Deny ingress by default; select namespace and pod in one `from` element; never select all namespaces.",
    references=(*_POLICY, "ATT&CK T1046"),
)
def outsider(boundary: Boundary) -> Iterator[Draft]:
    """A stranger in a namespace of its own cannot connect."""
    yield _refused_from(boundary, OUTSIDER)


@network.case(
    motive="A grant without a port opens every port of the pod: debug servers, admin consoles, databases.",
    remedy="Name the port in the policy that admits this identity.",
    references=(*_POLICY, "NIST SP 800-53r5 CM-7"),
)
def neighbour_port(boundary: Boundary) -> Iterator[Draft]:
    """A place that may connect cannot reach the neighbouring port of the same pod."""
    near = (boundary.port + step * sign for step in range(1, 66) for sign in (1, -1))
    port = next(p for p in near if 0 < p < 65536 and p not in boundary.served)
    # A pod without a listener answers with a reset: silence is the policy, a reset shows that the packet arrived.
    expects = Refused(REFUSALS, passed=outcomes("Refused"))
    for name in _trusted(boundary):
        control = replace(_connect(boundary, name), via=Via.POD)
        yield Draft(name, expects, (Trial(f"port {port}", replace(control, port=port), control),))
