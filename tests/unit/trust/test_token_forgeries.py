"""Forged tokens: each potent in every variant, and none accepted by a library that checks."""

import base64
import hmac
import json
from datetime import datetime, timedelta
from typing import cast

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.types import Options

from zerotrust.trust import jws
from zerotrust.trust.forgeries import TOKEN_FORGERIES, ImpotentForgery, forge_tokens
from zerotrust.trust.forgeries.registry import Forgery
from zerotrust.trust.forgeries.tokens import Forged
from zerotrust.trust.identity import Identity
from zerotrust.trust.issuer import Issuer, TokenDraft
from zerotrust.trust.keys import ALGORITHMS, Algorithm
from zerotrust.trust.token_checks import TokenCheck as Check
from zerotrust.trust.token_checks import token_failures

ALL = pytest.mark.parametrize("name", TOKEN_FORGERIES)
BOTH = pytest.mark.parametrize("algorithm", ALGORITHMS)


@ALL
@BOTH
def test_each_variant_fails_exactly_the_check_its_forgery_names(
    name: str, algorithm: Algorithm, issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    variants = forge_tokens(name, issuer, checkout, "orders", now=now, algorithm=algorithm)

    assert variants
    assert len({variant.label for variant in variants}) == len(variants)
    assert len({variant.token for variant in variants}) == len(variants)
    for variant in variants:
        assert token_failures(
            variant.token,
            jwks=issuer.jwks(),
            issuer=issuer.url,
            audience="orders",
            subjects={checkout.spiffe_id},
            now=now,
        ) == {TOKEN_FORGERIES[name].breaks}


@ALL
@BOTH
def test_a_library_with_everything_on_refuses_each_variant(
    name: str, algorithm: Algorithm, issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    key = jwt.PyJWKSet.from_dict(issuer.jwks())[issuer.keys[algorithm].kid]
    for variant in forge_tokens(name, issuer, checkout, "orders", now=now, algorithm=algorithm):
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(
                variant.token,
                key,
                algorithms=list(ALGORITHMS),
                audience="orders",
                issuer=issuer.url,
                options={"require": ["exp", "aud", "iss"]},
            )


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("expired-token", {"verify_exp": False}),
        ("not-yet-valid-token", {"verify_nbf": False}),
        ("wrong-audience", {"verify_aud": False}),
        ("no-audience", {"verify_aud": False, "require": []}),
        ("wrong-issuer", {"verify_iss": False}),
        ("no-expiry", {"require": []}),
        ("tampered-payload", {"verify_signature": False}),
        ("bad-signature", {"verify_signature": False}),
        ("other-key", {"verify_signature": False}),
        ("alg-none", {"verify_signature": False}),
        ("algorithm-confusion", {"verify_signature": False}),
    ],
)
def test_a_library_with_that_one_check_off_accepts_each_variant(
    name: str, left_out: dict[str, object], issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    key = jwt.PyJWKSet.from_dict(issuer.jwks())[issuer.keys["RS256"].kid]
    checks = {
        "verify_exp": True,
        "verify_nbf": True,
        "verify_aud": True,
        "verify_iss": True,
        "require": ["exp", "aud", "iss"],
    }
    for variant in forge_tokens(name, issuer, checkout, "orders", now=now):
        claims = jwt.decode(
            variant.token,
            key,
            algorithms=list(ALGORITHMS),
            audience=None if left_out.get("verify_aud") is False else "orders",
            issuer=None if left_out.get("verify_iss") is False else issuer.url,
            options=cast("Options", {**checks, **left_out}),
        )
        assert claims["sub"] == checkout.spiffe_id


@BOTH
def test_confusion_takes_the_published_key_as_secret(
    algorithm: Algorithm, issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    public = issuer.keys[algorithm].private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    published = next(key for key in issuer.jwks()["keys"] if key["alg"] == algorithm)
    secrets = {
        "spki-pem": pem,
        "spki-pem-without-newline": pem[:-1],
        "spki-der": base64.b64decode(b"".join(pem.splitlines()[1:-1])),
        "jwk": json.dumps(published, separators=(",", ":")).encode(),
    }
    if algorithm == "RS256":
        pkcs1 = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        secrets |= {"pkcs1-pem": pkcs1, "pkcs1-pem-without-newline": pkcs1[:-1]}

    variants = forge_tokens("algorithm-confusion", issuer, checkout, "orders", now=now, algorithm=algorithm)

    assert {variant.label for variant in variants} == set(secrets)
    for variant in variants:
        signed, _, signature = variant.token.rpartition(".")
        assert jws.decode(signature) == hmac.digest(secrets[variant.label], signed.encode(), "sha256")


def test_none_comes_in_four_spellings_with_and_without_the_old_signature(
    issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    tokens = [jws.split(variant.token) for variant in forge_tokens("alg-none", issuer, checkout, "orders", now=now)]

    assert sorted({token.header["alg"] for token in tokens}) == ["NONE", "None", "nOnE", "none"]
    assert sorted(len(token.signature) for token in tokens) == [0] * 4 + [256] * 4


def test_a_tampered_token_asks_for_more_and_stays_the_same_callers(
    issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    (variant,) = forge_tokens("tampered-payload", issuer, checkout, "orders", now=now)
    claims = jws.split(variant.token).claims

    assert claims["scope"] == "orders.write admin"
    assert claims["sub"] == checkout.spiffe_id


def test_forgeries_follow_the_form_the_application_wants(issuer: Issuer, checkout: Identity, now: datetime) -> None:
    for name in TOKEN_FORGERIES:
        assert forge_tokens(
            name,
            issuer,
            checkout,
            "orders",
            now=now,
            algorithm="ES256",
            typ="JWT",
            lifetime=timedelta(hours=2),
            claims={"sub": "checkout@shop"},
        )


def test_an_impotent_forgery_raises(
    monkeypatch: pytest.MonkeyPatch, issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    def harmless(good: TokenDraft) -> Forged:
        return good.token()

    def one_of_two(good: TokenDraft) -> Forged:
        return {"potent": "garbage", "impotent": good.token()}

    def none_at_all(good: TokenDraft) -> Forged:
        return {}

    for make in (harmless, one_of_two, none_at_all):
        forgery = Forgery("weak", "Weak.", Check.FORMAT, make)
        monkeypatch.setattr("zerotrust.trust.forgeries.TOKEN_FORGERIES", {"weak": forgery})
        with pytest.raises(ImpotentForgery, match="must fail format and nothing else, but fails nothing"):
            forge_tokens("weak", issuer, checkout, "orders", now=now)
