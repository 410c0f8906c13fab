"""A test as the rest of the code sees it: parsed once at the door, typed and checked ever after."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from croniter import CroniterError, croniter
from pydantic import ValidationError

from zerotrust.api import reasons
from zerotrust.api.errors import Reject
from zerotrust.api.resource import RERUN_ANNOTATION, BoundaryBase, TestSpec
from zerotrust.layers.base import OUTSIDER, Boundary, Layer
from zerotrust.layers.dialects import Refusals
from zerotrust.layers.http import HttpSpec
from zerotrust.trust.identity import Identity

OUTSIDE = "outside"
"""Zone of the stranger and the canary: a namespace that no author shapes."""
CANARY = "canary"
RESERVED = frozenset({OUTSIDER, CANARY, "anonymous"})
LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
STANDARD_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id"})
MAX_PROBLEMS = 5
MAX_CELLS = 512
"""Identities times calls of one boundary: every cell is tried, in several spellings, and has to fit into a plan."""


@dataclass(frozen=True, slots=True)
class Test:
    """One ZeroTrustTest: its metadata that matters, its spec, and the trust it declares."""

    uid: str
    namespace: str
    name: str
    generation: int
    rerun: str
    spec: TestSpec
    identities: Mapping[str, Identity]
    boundaries: tuple[Boundary, ...]

    @property
    def stranger(self) -> Identity:
        """The identity that nobody declared."""
        return Identity(OUTSIDER, OUTSIDE, self.spec.sandbox.trust_domain)

    @property
    def all_identities(self) -> dict[str, Identity]:
        """The declared identities, the stranger and the canary's client."""
        domain = self.spec.sandbox.trust_domain
        own = {OUTSIDER: self.stranger, CANARY: Identity(CANARY, OUTSIDE, domain)}
        return {**self.identities, **own}


def parse(resource: Mapping[str, Any]) -> Test:
    """A resource as the API server gives it. Errors: Reject(InvalidSpec), every problem in one message."""
    meta = resource["metadata"]
    try:
        spec = TestSpec.model_validate(resource.get("spec") or {})
    except ValidationError as error:
        raise Reject(reasons.INVALID_SPEC, _explain(error)) from None
    boundaries = tuple(_view(boundary, spec) for boundary in spec.boundaries)
    problems = list(_problems(spec, boundaries))
    if problems:
        more = f"; and {len(problems) - MAX_PROBLEMS} more" if len(problems) > MAX_PROBLEMS else ""
        raise Reject(reasons.INVALID_SPEC, "; ".join(problems[:MAX_PROBLEMS]) + more)
    domain = spec.sandbox.trust_domain
    identities = {
        item.name: Identity(item.name, item.zone, domain, item.dns_names, item.claims) for item in spec.identities
    }
    return Test(
        uid=meta["uid"],
        namespace=meta["namespace"],
        name=meta["name"],
        generation=meta.get("generation", 1),
        rerun=(meta.get("annotations") or {}).get(RERUN_ANNOTATION, ""),
        spec=spec,
        identities=identities,
        boundaries=boundaries,
    )


def _explain(error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"])
        problems.append(f"spec{place}: {item['msg']}")
    return "; ".join(problems)[:900]


def _view(boundary: BoundaryBase, spec: TestSpec) -> Boundary:
    specs = {name: getattr(boundary, name) for name in Layer.registry if getattr(boundary, name) is not None}
    server = next((item for item in spec.identities if item.name == boundary.server), None)
    host = server.dns_names[0] if server and server.dns_names else boundary.service.name
    served = frozenset(
        other.service.port
        for other in spec.boundaries
        if other.service.zone == boundary.service.zone  # another Service may stand before the same pods
    )
    return Boundary(
        name=boundary.name,
        zone=boundary.service.zone,
        service=boundary.service.name,
        port=boundary.service.port,
        host=host,
        identities=tuple(item.name for item in spec.identities),
        specs=specs,
        server=boundary.server,
        served=served,
        refusals=boundary.refusals or Refusals(),
    )


def _problems(spec: TestSpec, boundaries: tuple[Boundary, ...]) -> Iterator[str]:
    zones = [zone.name for zone in spec.sandbox.zones]
    names = [item.name for item in spec.identities]
    yield from _duplicates("sandbox.zones", zones)
    yield from _duplicates("identities", names)
    yield from _duplicates("boundaries", [item.name for item in boundaries])
    for zone in zones:
        if zone == OUTSIDE:
            yield f"zone {OUTSIDE} is the operator's own: give yours another name"
    for item in spec.identities:
        if item.zone not in zones:
            yield f"identity {item.name} lives in zone {item.zone}, which sandbox.zones does not declare"
        for claim in sorted(STANDARD_CLAIMS & item.claims.keys()):
            yield f"identity {item.name}: claim {claim} is the issuer's own, take it off claims"
        for key in item.pod_labels:
            if not LABEL_KEY.fullmatch(key):
                yield f"identity {item.name}: podLabels {key[:80]!r} is no label's name"
        if item.name in RESERVED:
            yield f"identity {item.name}: the name is the operator's own, choose another"
    for boundary in boundaries:
        if boundary.name == CANARY:
            yield f"boundary {CANARY}: the name is the operator's own, choose another"
        yield from (f"boundary {boundary.name}: {problem}" for problem in _boundary(boundary, spec, zones))
    yield from _when(spec)


def _boundary(boundary: Boundary, spec: TestSpec, zones: list[str]) -> Iterator[str]:
    if boundary.zone not in zones:
        yield f"service.zone {boundary.zone} is not in sandbox.zones"
    elif not next(zone for zone in spec.sandbox.zones if zone.name == boundary.zone).manifests:
        yield f"zone {boundary.zone} has no manifests, so nothing can serve {boundary.service}"
    if boundary.server and boundary.server not in boundary.identities:
        yield f"server {boundary.server} is not in identities"
    if not boundary.specs:
        yield f"declare at least one layer: {', '.join(Layer.registry)}"
    for layer in boundary.layers:
        for name in _named(boundary, layer.name):
            if name not in boundary.identities:
                yield f"{layer.name}.allow names {name}, who is not in identities"
    http = boundary.specs.get("http")
    calls = sum(len(route.methods) for route in http.routes) if isinstance(http, HttpSpec) else 0
    if (cells := len(boundary.identities) * calls) > MAX_CELLS:
        sides = f"{len(boundary.identities)} identities times {calls} calls"
        yield f"{sides} are {cells} cells, at most {MAX_CELLS} are tried: split the boundary"
    yield from _refusals(boundary)
    for layer in boundary.layers:
        yield from layer.check(boundary)


def _refusals(boundary: Boundary) -> Iterator[str]:
    """Answers that would be refusal and success at once, or of a layer that is not declared."""
    http = boundary.specs.get("http")
    routes = http.routes if isinstance(http, HttpSpec) else ()
    successes = {status for route in routes for status in route.success}
    for layer, answer in boundary.refusals.all():
        if layer not in boundary.specs:
            yield f"refusals.{layer}: the boundary declares no {layer}"
        if answer.status in successes and not (answer.header or answer.body):
            yield (
                f"refusals.{layer}: status {answer.status} is a route's success too: "
                "add the header or body that makes it a refusal"
            )


def _named(boundary: Boundary, layer: str) -> Iterator[str]:
    """Everybody whom a layer's allow lists name, at whatever depth."""
    stack: list[Any] = [boundary.specs[layer].model_dump()]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            allow = value.get("allow")
            yield from allow if isinstance(allow, (list, tuple)) else ()
            stack.extend(value.values())
        elif isinstance(value, (list, tuple)):
            stack.extend(value)


def _duplicates(where: str, names: list[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where} names {name} twice"


def _when(spec: TestSpec) -> Iterator[str]:
    if spec.run.schedule is not None and not _is_cron(spec.run.schedule):
        yield f"run.schedule {spec.run.schedule!r} is not five-field cron, such as '0 */6 * * *'"
    for index, waiver in enumerate(spec.waivers):
        if not _is_day(waiver.until):
            yield f"waivers[{index}].until {waiver.until} is no day of the calendar"
    try:
        zoneinfo.ZoneInfo(spec.run.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield f"run.timeZone {spec.run.time_zone!r} is not an IANA time zone, such as Etc/UTC"


def _is_cron(text: str) -> bool:
    if len(text.split()) != 5 or not croniter.is_valid(text):
        return False
    try:
        croniter(text, datetime(2000, 1, 1, tzinfo=UTC)).get_next(datetime)
    except CroniterError:  # a day that never comes
        return False
    return True


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
