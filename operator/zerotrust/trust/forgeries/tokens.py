"""Forged access tokens. Each is the good token with one attribute replaced; some come in several variants."""

import functools
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from zerotrust.trust import jws
from zerotrust.trust.forgeries.registry import Family
from zerotrust.trust.issuer import TokenDraft
from zerotrust.trust.keys import Algorithm, SigningKey, serialisations
from zerotrust.trust.token_checks import TokenCheck as Check

HOUR = timedelta(hours=1)
"""Far beyond any leeway for clocks."""

Forged = str | Mapping[str, str]
"""One token, or its variants by label."""

_family: Family[TokenDraft, Forged, Check] = Family()
TOKEN_FORGERIES = _family.members
forgery = _family.breaks


@forgery(Check.FORMAT)
def garbage_token(_good: TokenDraft) -> Forged:
    """Random characters that are no token at all."""
    return uuid.uuid4().hex


@forgery(Check.SIGNATURE)
def tampered_payload(good: TokenDraft) -> Forged:
    """A good token whose claims were changed after signing: another id, and more scope where there is one."""
    changed: dict[str, Any] = {"jti": str(uuid.uuid4())}
    scope = good.claims.get("scope")
    if isinstance(scope, str):
        changed["scope"] = f"{scope} admin".strip()
    tampered = replace(good, claims={**good.claims, **changed})
    return jws.join(tampered.signing_input, good.signature())


@forgery(Check.SIGNATURE)
def bad_signature(good: TokenDraft) -> Forged:
    """A good token with one bit of its signature flipped."""
    signature = bytearray(good.signature())
    signature[len(signature) // 2] ^= 1  # of the octets, not the text: its last character may hold padding bits
    return jws.join(good.signing_input, bytes(signature))


@forgery(Check.SIGNATURE)
def other_key(good: TokenDraft) -> Forged:
    """A token signed by an attacker's key under the key id of the genuine one."""
    return replace(good, key=_attackers_key(good.key.algorithm)).token()


@forgery(Check.ALGORITHM)
def alg_none(good: TokenDraft) -> Forged:
    """A token that says it is not signed, in four spellings, without a signature and with the genuine one."""
    variants = {}
    for spelling in ("none", "None", "NONE", "nOnE"):
        unsigned = replace(good, header={**good.header, "alg": spelling})
        variants[f"{spelling}-unsigned"] = jws.join(unsigned.signing_input, b"")
        variants[f"{spelling}-old-signature"] = jws.join(unsigned.signing_input, good.signature())
    return variants


@forgery(Check.ALGORITHM)
def algorithm_confusion(good: TokenDraft) -> Forged:
    """A token with an HMAC keyed by the issuer's public key as text, in every form a server may hold it."""
    confused = replace(good, header={**good.header, "alg": "HS256"}).signing_input
    return {
        form: jws.join(confused, hmac.digest(secret, confused, "sha256"))
        for form, secret in serialisations(good.key.jwk).items()
    }


@forgery(Check.EXPIRY)
def expired_token(good: TokenDraft) -> Forged:
    """A token that was good once and expired an hour ago."""
    age = good.claims["exp"] - good.now.timestamp() + HOUR.total_seconds()
    return _with(good, {name: int(good.claims[name] - age) for name in ("iat", "nbf", "exp")})


@forgery(Check.NOT_BEFORE)
def not_yet_valid_token(good: TokenDraft) -> Forged:
    """A token that becomes valid in an hour."""
    shift = good.now.timestamp() - good.claims["nbf"] + HOUR.total_seconds()
    return _with(good, {name: int(good.claims[name] + shift) for name in ("nbf", "exp")})


@forgery(Check.EXPIRY_PRESENT)
def no_expiry(good: TokenDraft) -> Forged:
    """A token that never expires, because it does not say when."""
    return _without(good, "exp")


@forgery(Check.ISSUER)
def wrong_issuer(good: TokenDraft) -> Forged:
    """A token that names another issuer."""
    return _with(good, {"iss": "https://another-issuer.invalid"})


@forgery(Check.AUDIENCE)
def wrong_audience(good: TokenDraft) -> Forged:
    """A token meant for another service."""
    return _with(good, {"aud": "another-audience"})


@forgery(Check.AUDIENCE_PRESENT)
def no_audience(good: TokenDraft) -> Forged:
    """A token that does not say whom it is meant for."""
    return _without(good, "aud")


def _with(good: TokenDraft, claims: Mapping[str, Any]) -> str:
    """The good token with some claims replaced, genuinely signed."""
    return replace(good, claims={**good.claims, **claims}).token()


def _without(good: TokenDraft, claim: str) -> str:
    """The good token with one claim left out, genuinely signed."""
    return replace(good, claims={name: value for name, value in good.claims.items() if name != claim}).token()


@functools.cache
def _attackers_key(algorithm: Algorithm) -> SigningKey:
    """Made once a process: an RSA key costs 50 ms, and any key but the issuer's will do."""
    return SigningKey.generate(algorithm)
