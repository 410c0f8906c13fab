"""The reference verifier of tokens, as checks that know nothing of one another.

Like its sibling for certificates it exists to prove forgeries, so each check answers its own question only.
SIGNATURE in particular does what a verifier without an algorithm list does: it believes the header. That is
what makes `none` and the HMAC confusion fail ALGORITHM alone, by a signature that really matches.
"""

import hmac
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from zerotrust.trust import jws
from zerotrust.trust.issuer import AT_JWT
from zerotrust.trust.keys import ALGORITHMS, serialisations, verifies


class TokenCheck(StrEnum):
    """What a verifier asks of an access token."""

    PRESENCE = "presence"
    """A token is sent at all (RFC 6750 §3.1)."""
    FORMAT = "format"
    """It is a JWS in compact serialisation, header and payload JSON objects (RFC 7519 §7.2)."""
    TYPE = "type"
    """The header says it is an access token (RFC 9068 §4, RFC 8725 §3.11)."""
    ALGORITHM = "algorithm"
    """The algorithm is on the verifier's own list (RFC 8725 §3.1)."""
    KEY_ID = "key-id"
    """The header names a key of the issuer (RFC 7515 §4.1.4)."""
    SIGNATURE = "signature"
    """The signature is what the header's algorithm makes with the issuer's key (RFC 7515 §5.2)."""
    ISSUER = "issuer"
    """`iss` is the trusted issuer, letter by letter (RFC 8725 §3.8)."""
    AUDIENCE = "audience"
    """`aud`, where present, holds this server (RFC 8725 §3.9)."""
    AUDIENCE_PRESENT = "audience-present"
    """There is an `aud` (RFC 9068 §4)."""
    EXPIRY = "expiry"
    """`exp`, where present, lies ahead (RFC 7519 §4.1.4)."""
    EXPIRY_PRESENT = "expiry-present"
    """There is an `exp` (RFC 9068 §2.2)."""
    NOT_BEFORE = "not-before"
    """`nbf`, where present, has come (RFC 7519 §4.1.5)."""
    ISSUED_AT = "issued-at"
    """`iat`, where present, does not lie ahead (RFC 7519 §4.1.6)."""
    SUBJECT = "subject"
    """`sub` is somebody trusted (RFC 9068 §4)."""


@dataclass(frozen=True, slots=True)
class Received:
    """A token taken apart, beside what is expected of it."""

    token: jws.Compact
    jwks: Mapping[str, Any]
    issuer: str
    audience: str
    subjects: Collection[str]
    now: float
    typ: str

    @property
    def keys(self) -> list[dict[str, Any]]:
        """The issuer's keys the header may mean: the one it names, else all."""
        published: list[dict[str, Any]] = self.jwks["keys"]
        return [key for key in published if key["kid"] == self.token.header.get("kid")] or published


def signature_matches(received: Received) -> bool:
    """Believe the header: nothing to check for `none` in any spelling, the key's text as secret for HS256."""
    token, algorithm = received.token, received.token.header.get("alg")
    if isinstance(algorithm, str) and algorithm.lower() == "none":
        return True
    if algorithm == "HS256":
        secrets = (secret for key in received.keys for secret in serialisations(key).values())
        macs = (hmac.digest(secret, token.signing_input, "sha256") for secret in secrets)
        return any(hmac.compare_digest(mac, token.signature) for mac in macs)
    return any(verifies(key, algorithm, token.signing_input, token.signature) for key in received.keys)


def audience_fits(received: Received) -> bool:
    """A string or a list of them; absence is another check's."""
    stated = received.token.claims.get("aud", received.audience)
    return received.audience in (stated if isinstance(stated, list) else [stated])


def ahead(received: Received, claim: str) -> bool | None:
    """Whether a NumericDate lies ahead, None where the claim is absent; one that is no number never came."""
    if claim not in received.token.claims:
        return None
    date = received.token.claims[claim]
    if isinstance(date, bool) or not isinstance(date, int | float) or not math.isfinite(date):
        return claim != "exp"
    return date > received.now


def subject_trusted(received: Received) -> bool:
    """Compared as text: `sub` may be any JSON in a forged token."""
    subject = received.token.claims.get("sub")
    return isinstance(subject, str) and subject in received.subjects


TOKEN_CHECKS: dict[TokenCheck, Callable[[Received], bool]] = {
    TokenCheck.TYPE: lambda received: received.token.header.get("typ") == received.typ,
    TokenCheck.ALGORITHM: lambda received: received.token.header.get("alg") in ALGORITHMS,
    TokenCheck.KEY_ID: lambda received: any(
        key["kid"] == received.token.header.get("kid") for key in received.jwks["keys"]
    ),
    TokenCheck.SIGNATURE: signature_matches,
    TokenCheck.ISSUER: lambda received: received.token.claims.get("iss") == received.issuer,
    TokenCheck.AUDIENCE: audience_fits,
    TokenCheck.AUDIENCE_PRESENT: lambda received: "aud" in received.token.claims,
    TokenCheck.EXPIRY: lambda received: ahead(received, "exp") is not False,
    TokenCheck.EXPIRY_PRESENT: lambda received: "exp" in received.token.claims,
    TokenCheck.NOT_BEFORE: lambda received: not ahead(received, "nbf"),
    TokenCheck.ISSUED_AT: lambda received: not ahead(received, "iat"),
    TokenCheck.SUBJECT: subject_trusted,
}


def token_failures(
    token: str,
    *,
    jwks: Mapping[str, Any],
    issuer: str,
    audience: str,
    subjects: Collection[str],
    now: datetime,
    typ: str = AT_JWT,
) -> frozenset[TokenCheck]:
    """Every check a token fails, without leeway; empty means a server should accept it.

    What cannot be taken apart fails PRESENCE or FORMAT alone: nothing else can be asked of it.
    """
    if not token.strip():
        return frozenset({TokenCheck.PRESENCE})
    try:
        parts = jws.split(token)
    except jws.NotCompactError:
        return frozenset({TokenCheck.FORMAT})
    received = Received(parts, jwks, issuer, audience, subjects, now.timestamp(), typ)
    return frozenset(check for check, holds in TOKEN_CHECKS.items() if not holds(received))
