"""JWT: is the bearer token asked for, verified and matched with a trusted identity?

What each case presents is made in ``trust``; RFC 6750, RFC 7519, RFC 8725, RFC 9068.
"""

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
    Ref,
    Refused,
    Trial,
    refuse,
    statuses,
)
from zerotrust.layers.http import http
from zerotrust.layers.names import Names, Spec

REFUSALS = statuses(401, 403)
MALFORMED = statuses(400, 401, 403)
"""Also invalid_request of RFC 6750 section 3.1, where the token is no token at all."""


class JwtSpec(Spec):
    """Whose tokens are accepted, and for which audience they are made out."""

    audience: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[!-~]+$")]
    allow: Annotated[
        Names | None,
        Field(description="Identities whose tokens are accepted. Default: everyone whom a route allows."),
    ] = None


class JwtLayer(Layer[JwtSpec]):
    """Decides by the bearer token."""

    def admits(self, boundary: Boundary, identity: str) -> bool:
        spec = self.of(boundary)
        return spec is None or spec.allow is None or identity in spec.allow

    def lets(self, boundary: Boundary, identity: str, call: Call) -> bool:
        return call.anonymous or self.admits(boundary, identity)

    def dress(self, boundary: Boundary, identity: str, approach: Approach) -> Approach:
        if approach.call is None or approach.call.anonymous:
            return approach
        return replace(approach, token=Ref(identity))

    def check(self, boundary: Boundary) -> Iterator[str]:
        if "http" not in boundary.specs:
            yield "jwt needs http: declare the routes on which the token is accepted"


jwt = JwtLayer("jwt", JwtSpec, order=30)

_TOKEN = ("NIST SP 800-53r5 IA-5", "ASVS 5.0 V9.1", "OWASP API2:2023")
_SIGNATURE = ("RFC 8725 section 3.1", "RFC 7515 section 5.2", "ASVS 5.0 V9.1.1", "OWASP API2:2023")
_CLAIMS = ("RFC 7519 section 4.1", "ASVS 5.0 V9.2", "OWASP API2:2023")


def _trusted(boundary: Boundary) -> Iterator[tuple[str, Approach]]:
    """Each identity that gets in with its token, on the route that is best to repeat."""
    for name in boundary.identities:
        if not jwt.admits(boundary, name) or not boundary.admits(name, beyond=http.name):
            continue
        call = http.control(boundary, name, token=True)
        approach = boundary.good(name, call) if call else None
        if approach:
            yield name, approach


def _forged(boundary: Boundary, forgery: str, reasons: frozenset[str] = REFUSALS) -> Iterator[Draft]:
    for name, good in _trusted(boundary):
        yield refuse(name, good, reasons, token=Ref(name, forgery))


@jwt.case(
    motive="A trusted caller that is shut out is an outage, and makes every refusal meaningless.",
    remedy="Accept tokens of $(issuer) with the keys in ConfigMap trust (jwks.json) for the declared audience.",
    references=("RFC 9068 section 4", *_TOKEN),
)
def allowed(boundary: Boundary) -> Iterator[Draft]:
    """A trusted identity with its own token is let in."""
    for name, good in _trusted(boundary):
        yield Draft(name, Admitted(), (Trial("", good, good),))


@jwt.case(
    motive="Where a token is optional, nobody needs one.",
    remedy="Require a valid token on this route; never allow a missing one (Envoy: no allow_missing).",
    references=("RFC 6750 section 3.1", *_TOKEN),
)
def no_token(boundary: Boundary) -> Iterator[Draft]:
    """A request without a token is refused."""
    for name, good in _trusted(boundary):
        yield refuse(name, good, REFUSALS, token=None)


@jwt.case(
    motive="A verifier that fails open on what it cannot parse needs no key to be fooled.",
    remedy="Treat every token that cannot be parsed as invalid.",
    references=("RFC 7515 section 5.2", *_TOKEN),
)
def garbage_token(boundary: Boundary) -> Iterator[Draft]:
    """Something that is no token is refused."""
    yield from _forged(boundary, "garbage-token", MALFORMED)


@jwt.case(
    motive="Unsigned claims are wishes: whoever holds a token could promote itself.",
    remedy="Verify the signature over header and payload before reading any claim.",
    references=_SIGNATURE,
)
def tampered_payload(boundary: Boundary) -> Iterator[Draft]:
    """A token whose claims were changed after signing is refused."""
    yield from _forged(boundary, "tampered-payload")


@jwt.case(
    motive="A signature that is only looked at, not verified, protects nothing.",
    remedy="Verify the signature with the issuer's published key.",
    references=_SIGNATURE,
)
def bad_signature(boundary: Boundary) -> Iterator[Draft]:
    """A token with one bit of its signature flipped is refused."""
    yield from _forged(boundary, "bad-signature")


@jwt.case(
    motive="Anyone can sign a token with a key of their own.",
    remedy="Take keys only from the issuer's key set, by kid and algorithm.",
    references=("RFC 8725 section 3.10", *_SIGNATURE),
)
def other_key(boundary: Boundary) -> Iterator[Draft]:
    """A token signed by a foreign key under the issuer's key id is refused."""
    yield from _forged(boundary, "other-key")


@jwt.case(
    motive="alg none is the oldest forgery of all: no key, no signature, any claim.",
    remedy="Fix the accepted algorithms in the verifier; never take them from the token.",
    references=("RFC 8725 section 3.2", *_SIGNATURE),
)
def alg_none(boundary: Boundary) -> Iterator[Draft]:
    """A token with algorithm none, in any spelling, is refused."""
    yield from _forged(boundary, "alg-none")


@jwt.case(
    motive="A verifier that lets the token choose the algorithm takes the public key for a shared secret.",
    remedy="Bind each key to its algorithm; refuse HMAC where keys are public.",
    references=("RFC 8725 section 2.1", *_SIGNATURE),
)
def algorithm_confusion(boundary: Boundary) -> Iterator[Draft]:
    """A token signed with HS256, keyed with the issuer's public key, is refused."""
    yield from _forged(boundary, "algorithm-confusion")


@jwt.case(
    motive="Without expiry every leaked token is a key for ever.",
    remedy="Refuse tokens past exp; keep the allowed clock skew to seconds.",
    references=("RFC 7519 section 4.1.4", *_CLAIMS),
)
def expired_token(boundary: Boundary) -> Iterator[Draft]:
    """A token that expired an hour ago is refused."""
    yield from _forged(boundary, "expired-token")


@jwt.case(
    motive="Tokens issued ahead must not work ahead.",
    remedy="Refuse tokens before nbf; keep the allowed clock skew to seconds.",
    references=("RFC 7519 section 4.1.5", *_CLAIMS),
)
def not_yet_valid_token(boundary: Boundary) -> Iterator[Draft]:
    """A token that becomes valid in an hour is refused."""
    yield from _forged(boundary, "not-yet-valid-token")


@jwt.case(
    motive="A token that never expires cannot be got rid of.",
    remedy="Require exp to be present (Envoy: require_expiration; PyJWT: options require).",
    references=("RFC 9068 section 2.2", *_CLAIMS),
)
def no_expiry(boundary: Boundary) -> Iterator[Draft]:
    """A token without an expiry time is refused."""
    yield from _forged(boundary, "no-expiry")


@jwt.case(
    motive="A token of another issuer says nothing about who may call here.",
    remedy="Compare iss exactly with the trusted issuer.",
    references=("RFC 8725 section 3.8", *_CLAIMS),
)
def wrong_issuer(boundary: Boundary) -> Iterator[Draft]:
    """A token of another issuer is refused."""
    yield from _forged(boundary, "wrong-issuer")


@jwt.case(
    motive="A token for one service, replayed at another, turns every service into a confused deputy.",
    remedy="Require aud to name this service.",
    references=("RFC 8725 section 3.9", *_CLAIMS),
)
def wrong_audience(boundary: Boundary) -> Iterator[Draft]:
    """A token made out for another audience is refused."""
    yield from _forged(boundary, "wrong-audience")


@jwt.case(
    motive="A token for nobody in particular would be a token for everybody.",
    remedy="Require aud to be present and to name this service.",
    references=("RFC 9068 section 2.2", *_CLAIMS),
)
def no_audience(boundary: Boundary) -> Iterator[Draft]:
    """A token without an audience is refused."""
    yield from _forged(boundary, "no-audience")


@jwt.case(
    motive="A valid token is not permission: every workload of the trust domain has one.",
    remedy="Authorise the token's subject, and bind it to the certificate of the connection.",
    references=("RFC 8725 section 3.11", "NIST SP 800-53r5 AC-3", "NIST SP 800-207 tenet 6"),
)
def other_identity(boundary: Boundary) -> Iterator[Draft]:
    """A valid token of an identity that is not trusted on this route is refused."""
    for name in (*boundary.identities, OUTSIDER):
        if approach := _closed_to(boundary, name):
            good, control = approach
            yield Draft(name, Refused(REFUSALS), (Trial("", replace(good, token=Ref(name)), control),))


def _closed_to(boundary: Boundary, name: str) -> tuple[Approach, Approach] | None:
    """A trusted identity's way to a call that is closed to ``name``, and its harmless control."""
    for trusted, harmless in _trusted(boundary):
        closed = list(http.closed_to(boundary, name))
        if harmless.call in closed:
            return harmless, harmless
        for call in closed:
            good = boundary.good(trusted, call) if http.allows(boundary, trusted, call) else None
            if good:
                return good, good if call.safe else harmless
    return None
