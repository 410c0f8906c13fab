"""HTTP: who may call which route? Every cell of identities and routes, and every way of writing a path.

RFC 9110 (methods, statuses), RFC 3986 section 6 (equal paths), OWASP API Security 2023.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from zerotrust.layers.base import (
    Admitted,
    Approach,
    Boundary,
    Call,
    Draft,
    Layer,
    Refused,
    Trial,
    alerts,
    statuses,
)
from zerotrust.layers.names import Names, Spec

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ANYONE = "Anyone"
UNDECLARED = "zerotrust-undeclared"

REFUSALS = statuses(401, 403, 404)
"""404 too: to hide what exists from those who may not see it is a refusal (RFC 9110 section 15.5.4)."""
METHOD_REFUSALS = REFUSALS | statuses(405, 501)
OUTER_REFUSALS = alerts("certificate_unknown", "access_denied", "bad_certificate", "handshake_failure", "unknown_ca")
"""An identity that the TLS layer keeps out gets its refusal there."""

Method = Annotated[str, Field(pattern=r"^[A-Z]{1,20}$")]
Target = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^/[!-~]*$")]
HeaderName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
HeaderValue = Annotated[str, Field(max_length=512, pattern=r"^[\t -~]*$")]


class RequestSpec(Spec):
    """An example request: what a positive sends where method and path alone are not enough."""

    method: Method | None = None
    path: Target | None = None
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=16)] = {}
    body: Annotated[str, Field(max_length=8192)] = ""

    def call(self, method: str, path: str) -> Call:
        """The request as a call, with the route's own method and path where it names none."""
        headers = tuple((name, value) for name, value in self.headers.items())
        return Call(self.method or method, self.path or path, headers, self.body)


class Route(Spec):
    """Methods on a path, and who may use them. A path ending in ``/*`` covers everything below it."""

    methods: Annotated[tuple[Method, ...], Field(min_length=1, max_length=10)]
    path: Target
    allow: Names | Literal["Anyone"]
    request: RequestSpec | None = None
    success: Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(max_length=20)] = ()

    def calls(self) -> Iterator[Call]:
        """One call for each method."""
        for method in self.methods:
            call = (self.request or RequestSpec()).call(method, self.target)
            call = replace(call, method=method, anonymous=self.allow == ANYONE)
            yield replace(call, success=self.success) if self.success else call

    def allows(self, identity: str) -> bool:
        return self.allow == ANYONE or identity in self.allow

    def covers(self, call: Call) -> bool:
        """Whether a call is one of this route."""
        below = self.path.endswith("/*") and call.target.startswith(self.path[:-1])
        return call.method in self.methods and (below or call.target == self.target)

    @property
    def target(self) -> str:
        """What is asked for: the example's path, else the route's own, or one below it."""
        path = self.path[:-1] + "zerotrust" if self.path.endswith("/*") else self.path
        return (self.request.path if self.request else None) or path

    @property
    def slug(self) -> str:
        """The route in a case id: methods, then the path's words."""
        words = re.sub(r"[^a-z0-9]+", "-", self.path.lower()).strip("-") or "root"
        return f"route-{'-'.join(self.methods).lower()}-{words}"[:63].rstrip("-")


class HttpSpec(Spec):
    """Everything that may be called; what no route declares must be refused."""

    routes: Annotated[tuple[Route, ...], Field(min_length=1, max_length=64)]
    control: Annotated[
        RequestSpec | None, Field(description="A harmless request with which every allowed identity gets in.")
    ] = None

    @model_validator(mode="after")
    def _control_is_complete(self) -> HttpSpec:
        if self.control and not (self.control.method and self.control.path):
            raise ValueError("control needs a method and a path")
        return self


class HttpLayer(Layer[HttpSpec]):
    """Decides by method, path and the identity that calls."""

    def admits(self, boundary: Boundary, identity: str) -> bool:
        spec = self.of(boundary)
        return spec is None or any(route.allows(identity) for route in spec.routes)

    def dress(self, boundary: Boundary, identity: str, approach: Approach) -> Approach:
        return approach if approach.call else replace(approach, call=self.control(boundary, identity))

    def allowed(self, boundary: Boundary, identity: str) -> list[Call]:
        """The calls that the routes allow the identity: first those that change nothing, and ask for no token.

        The fewer layers a control passes, the surer what its failure says.
        """
        spec = self.of(boundary)
        routes = [route for route in spec.routes if route.allows(identity)] if spec else []
        calls = [call for route in routes for call in self.calls(boundary, route)]
        return sorted(calls, key=lambda call: (not call.safe, not call.anonymous))

    def control(self, boundary: Boundary, identity: str, *, token: bool = False) -> Call | None:
        """The call that proves best, repeated, that the identity gets in; with ``token``: one that asks for it."""
        spec = self.of(boundary)
        calls = self.allowed(boundary, identity)
        if spec and spec.control and calls:
            own = spec.control.call("GET", "/")
            own = replace(own, anonymous=self.open_to_all(boundary, own))
            if self.allows(boundary, identity, own) and not (token and own.anonymous):
                return own
        return next((call for call in calls if not (token and call.anonymous)), None)

    def allows(self, boundary: Boundary, identity: str, call: Call) -> bool:
        """Whether some route lets the identity make this very call."""
        spec = self.of(boundary)
        return any(route.allows(identity) and route.covers(call) for route in spec.routes) if spec else False

    def open_to_all(self, boundary: Boundary, call: Call) -> bool:
        """Whether some route lets anyone make this very call, without a token."""
        spec = self.of(boundary)
        return any(route.allow == ANYONE and route.covers(call) for route in spec.routes) if spec else False

    def calls(self, boundary: Boundary, route: Route) -> Iterator[Call]:
        """A route's calls; those that another route opens to anyone ask for no token either."""
        for call in route.calls():
            yield replace(call, anonymous=self.open_to_all(boundary, call))

    def lets(self, boundary: Boundary, identity: str, call: Call) -> bool:
        return self.allows(boundary, identity, call)

    def declares(self, boundary: Boundary, call: Call) -> bool:
        """Whether some route is about this very call."""
        spec = self.of(boundary)
        return any(route.covers(call) for route in spec.routes) if spec else False

    def closed_to(self, boundary: Boundary, identity: str) -> Iterator[Call]:
        """The declared calls that ask for a token and that no route allows the identity."""
        spec = self.of(boundary)
        for route in spec.routes if spec else ():
            calls = self.calls(boundary, route)
            yield from (c for c in calls if not c.anonymous and not self.allows(boundary, identity, c))

    def check(self, boundary: Boundary) -> Iterator[str]:
        spec = self.of(boundary)
        if spec and spec.control and not self.declares(boundary, spec.control.call("GET", "/")):
            yield "http.control is a request that no route declares: declare it, or take another"
        named = any(route.allow != ANYONE for route in spec.routes) if spec else False
        if named and not boundary.specs.keys() & {"mtls", "jwt"}:
            yield "http routes that name identities need mtls or jwt: without either nobody can tell who calls"
        for index, route in enumerate(spec.routes if spec else ()):
            for name in route.allow if route.allow != ANYONE else ():
                # An identity that only the network keeps out is tried from a place that has access.
                inner = (layer for layer in boundary.layers if layer.name != "network")
                shut = next((layer for layer in inner if not layer.admits(boundary, name)), None)
                if shut:
                    yield (
                        f"http.routes[{index}].allow names {name}, which {shut.name}.allow does not: "
                        f"add it to {shut.name}.allow or take it off the route"
                    )


http = HttpLayer("http", HttpSpec, order=40)

_AUTHORISATION = ("NIST SP 800-53r5 AC-3", "ASVS 5.0 V8.2.1", "OWASP API5:2023", "NIST SP 800-207 tenet 6")
_DEFAULT_DENY = ("NIST SP 800-53r5 SC-7(5)", "NIST SP 800-53r5 CM-7", "OWASP API9:2023")


def callers(boundary: Boundary) -> list[str]:
    """Identities whom every layer in front of this one lets through."""
    return [name for name in boundary.identities if boundary.admits(name, beyond=http.name)]


def bracket(boundary: Boundary, identity: str, call: Call, place: str) -> Approach | None:
    """The control of a call: the same door where an identity may use it harmlessly, else a harmless one.

    Made from the place of the refused attempt, and by the same identity where it may, so that one thing differs.
    """
    names = sorted(boundary.identities, key=lambda name: name != identity)
    for name in names:
        if call.safe and boundary.lets(name, call):
            good = boundary.good(name, call)
            return replace(good, place=place) if good else None
    for name in names:
        harmless = _harmless(boundary, name, call)
        good = boundary.good(name, harmless) if harmless and boundary.lets(name, harmless) else None
        if good:
            return replace(good, place=place)
    return None


def _harmless(boundary: Boundary, identity: str, call: Call) -> Call | None:
    """A call of the identity's own that changes nothing, through the same layers as ``call`` where there is one."""
    same = http.control(boundary, identity, token=not call.anonymous)
    return same if same and same.safe else http.control(boundary, identity)


def _tried(boundary: Boundary, identity: str, calls: list[tuple[str, Call]]) -> tuple[Trial, ...]:
    trials = []
    for label, call in calls:
        approach = boundary.good(identity, call)
        if approach:
            trials.append(Trial(label, approach, bracket(boundary, identity, call, approach.place)))
    return tuple(trials)


def _slugs(spec: HttpSpec) -> dict[str, Route]:
    """Routes by their names; where several would share one, each gets a mark of its own, wherever it stands."""
    names = Counter(declared.slug for declared in spec.routes)
    slugs: dict[str, Route] = {}
    for declared in spec.routes:
        mark = hashlib.sha256(f"{declared.methods} {declared.path}".encode()).hexdigest()[:6]
        slugs[declared.slug if names[declared.slug] == 1 else f"{declared.slug}-{mark}"] = declared
    return slugs


@http.case(
    motive="Who may call what is the heart of authorisation: one wrong cell is a leak or an outage.",
    remedy="Decide on identity, method and path together, and deny by default.",
    references=_AUTHORISATION,
)
def route(boundary: Boundary) -> Iterator[Draft]:
    """Each identity may use exactly the routes that name it."""
    spec = http.of(boundary)
    for slug, declared in _slugs(spec).items() if spec else ():
        for name in boundary.identities:
            yield _cell(boundary, declared, slug, name)


def _cell(boundary: Boundary, declared: Route, slug: str, name: str) -> Draft:
    calls = [(f"{call.method} {call.target}", call) for call in http.calls(boundary, declared)]
    closed = [(label, call) for label, call in calls if not boundary.lets(name, call)]
    if declared.allows(name) and not closed:
        approaches = [(label, boundary.good(name, call)) for label, call in calls]
        trials = tuple(Trial(label, good, good) for label, good in approaches if good)
        return Draft(name, Admitted(), trials, name=slug)
    if not closed:
        return Draft(name, Admitted(), (), name=slug, skipped="another route allows these calls")
    return Draft(name, Refused(REFUSALS | OUTER_REFUSALS), _tried(boundary, name, closed), name=slug)


@http.case(
    motive="What nobody declared, nobody watches: forgotten and debug routes are found by attackers first.",
    remedy="Deny every path that no route names, at the gateway, before the backend sees it.",
    references=_DEFAULT_DENY,
)
def undeclared_path(boundary: Boundary) -> Iterator[Draft]:
    """A trusted identity cannot call a path that nobody declared."""
    spec = http.of(boundary)
    below = [r.path for r in spec.routes if not r.path.endswith("*") and r.path != "/"] if spec else []
    paths = [f"/{UNDECLARED}", *sorted({f"{path.rstrip('/')}/{UNDECLARED}" for path in below})]
    covered = tuple(r.path[:-1] for r in spec.routes if r.path.endswith("/*")) if spec else ()
    calls = [(path, Call("GET", path)) for path in paths if not path.startswith(covered or ("//",))]
    for name in callers(boundary):
        if http.admits(boundary, name) and calls:
            yield Draft(name, Refused(REFUSALS), _tried(boundary, name, calls))


@http.case(
    motive="A rule that names the path but not the method lets readers write and delete.",
    remedy="Name the methods in each rule and deny all others.",
    references=("RFC 9110 section 15.5.6", *_DEFAULT_DENY),
)
def undeclared_method(boundary: Boundary) -> Iterator[Draft]:
    """A trusted identity cannot use a method that no route declares for the path."""
    spec = http.of(boundary)
    targets = dict.fromkeys(call.target for item in (spec.routes if spec else ()) for call in item.calls())
    for name in callers(boundary):
        used = {call.target for call in http.allowed(boundary, name)}
        calls = [
            (f"{method} {path}", Call(method, path))
            for path in targets
            for method in METHODS
            if path in used and not http.declares(boundary, Call(method, path))
        ]
        if calls:
            yield Draft(name, Refused(METHOD_REFUSALS), _tried(boundary, name, calls))
