"""ZeroTrustTest as an author writes it. Defaults and bounds here are the CRD's."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model

import zerotrust.layers  # noqa: F401 - importing it registers every layer
from zerotrust.layers.base import Coverage, Layer
from zerotrust.layers.dialects import Refusals
from zerotrust.layers.names import Name, Spec

GROUP = "zerotrust.dev"
VERSION = "v1alpha1"
KIND = "ZeroTrustTest"
PLURAL = "zerotrusttests"
RERUN_ANNOTATION = f"{GROUP}/rerun-requested-at"

BY_NAME = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
"""Lists that the API server keeps free of duplicates."""

Port = Annotated[int, Field(ge=1, le=65535)]
DNSName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Hostname = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Duration = Annotated[str, Field(pattern=r"^([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,5}s)?$", min_length=2, max_length=16)]
CaseGlob = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-a-z0-9*/?]+$")]
Date = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class ConfigMapRef(Spec):
    """A ConfigMap in the test's own namespace; every key is a file of manifests."""

    name: Hostname


class Manifests(Spec):
    """Where a zone's manifests come from: a ConfigMap or inline text, exactly one."""

    config_map: ConfigMapRef | None = None
    inline: Annotated[str, Field(max_length=65536)] | None = None


class Zone(Spec):
    """A fresh namespace of the sandbox."""

    name: Name
    network_policies: Annotated[
        Literal["Generated", "Provided"],
        Field(
            description="Generated: default deny and exactly the declared grants. Provided: only what manifests bring."
        ),
    ] = "Generated"
    pod_security: Literal["restricted", "baseline"] = "restricted"
    manifests: Annotated[tuple[Manifests, ...], Field(max_length=16)] = ()


class Tokens(Spec):
    """How tokens are signed, and the header type where an application wants another."""

    algorithm: Literal["RS256", "ES256"] = "RS256"
    typ: Annotated[str, Field(max_length=32, pattern=r"^[-+./A-Za-z0-9]+$")] = "at+jwt"


class Sandbox(Spec):
    """What is built for each run and gone after it."""

    trust_domain: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")] = (
        "zerotrust.test"
    )
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=8, json_schema_extra=BY_NAME)]
    tokens: Tokens = Tokens()


class IdentitySpec(Spec):
    """Who takes part: ServiceAccount, X.509 SVID, token subject and place in the network in one."""

    name: Name
    zone: Name
    pod_labels: Annotated[
        dict[
            Annotated[str, Field(max_length=317)],
            Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")],
        ],
        Field(max_length=16),
    ] = {}
    dns_names: Annotated[tuple[Hostname, ...], Field(max_length=16)] = ()
    claims: Annotated[
        dict[Annotated[str, Field(max_length=64)], Any],
        Field(max_length=32, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True}),
    ] = {}
    subject: Annotated[str, Field(max_length=253)] | None = None


class ServiceRef(Spec):
    """A Service of a zone and the port on which trust is checked."""

    name: DNSName
    zone: Name
    port: Port


class BoundaryBase(Spec):
    """A door: the layers at which trust is checked, from the outside in. Everything not allowed must be refused."""

    name: Name
    service: ServiceRef
    server: Annotated[Name, Field(description="The identity whose certificate the server must show.")] | None = None
    refusals: Annotated[
        Refusals | None,
        Field(description="How this server says no, where it follows neither the standards nor a known dialect."),
    ] = None


def _boundary() -> type[BoundaryBase]:
    """The boundary with one optional field for each registered layer."""
    layers = sorted(Layer.registry.values(), key=lambda layer: layer.order)
    fields: dict[str, Any] = {
        layer.name: (layer.spec | None, Field(None, description=(layer.spec.__doc__ or "").strip())) for layer in layers
    }
    return create_model("Boundary", __base__=BoundaryBase, __doc__=BoundaryBase.__doc__, **fields)


if TYPE_CHECKING:
    Boundary = BoundaryBase
else:
    Boundary = _boundary()


class Gate(StrEnum):
    """Whether a failed test makes the resource not Ready."""

    ENFORCE = "Enforce"
    ADVISORY = "Advisory"


class RunSpec(Spec):
    """When and how a test runs."""

    timeout: Duration = "5m"
    coverage: Annotated[
        Coverage,
        Field(description="How much is tried: Essential in seconds, Standard, or Exhaustive with rare and slow cases."),
    ] = Coverage.STANDARD
    gate: Gate = Gate.ENFORCE
    schedule: Annotated[str, Field(min_length=1, max_length=100, description="Five-field cron.")] | None = None
    time_zone: Annotated[str, Field(max_length=64)] = "Etc/UTC"
    suspend: bool = False
    keep_sandbox: Literal["Never", "OnFailure", "Always"] = "Never"
    keep_sandbox_for: Duration = "15m"
    history_limit: Annotated[int, Field(ge=0, le=50)] = 10


class Waiver(Spec):
    """An accepted finding: cases whose id matches, until a day that must come."""

    case: CaseGlob
    until: Date
    reason: Annotated[str, Field(min_length=1, max_length=256)]


class TestSpec(Spec):
    """Who is trusted, where trust is checked, and how the test runs."""

    sandbox: Sandbox
    identities: Annotated[tuple[IdentitySpec, ...], Field(min_length=1, max_length=64, json_schema_extra=BY_NAME)]
    boundaries: Annotated[tuple[Boundary, ...], Field(min_length=1, max_length=64, json_schema_extra=BY_NAME)]
    run: RunSpec = RunSpec()
    waivers: Annotated[tuple[Waiver, ...], Field(max_length=64)] = ()


def seconds(duration: str) -> float:
    """``1h5m30s`` as seconds."""
    total, number = 0, ""
    for char in duration:
        if char.isdigit():
            number += char
        else:
            total += int(number) * {"h": 3600, "m": 60, "s": 1}[char]
            number = ""
    return float(total)
