"""What the issuer mints, and how the reference verifier reads it."""

import json
from datetime import datetime
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotrust.trust import jws
from zerotrust.trust.identity import Identity
from zerotrust.trust.issuer import Issuer
from zerotrust.trust.keys import ALGORITHMS, Algorithm, thumbprint
from zerotrust.trust.token_checks import TokenCheck as Check
from zerotrust.trust.token_checks import token_failures


def library_accepts(token: str, issuer: Issuer, audience: str, now: datetime) -> bool:
    """The library, asked with everything switched on; it reads the clock, so `now` is the real one."""
    keys = jwt.PyJWKSet.from_dict(issuer.jwks())
    try:
        header = jwt.get_unverified_header(token)
        jwt.decode(
            token,
            keys[header["kid"]],
            algorithms=list(ALGORITHMS),
            audience=audience,
            issuer=issuer.url,
            options={"require": ["exp", "aud", "iss"]},
        )
    except jwt.InvalidTokenError:
        return False
    return abs((datetime.now(now.tzinfo) - now).total_seconds()) < 300


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_is_an_access_token_everybody_accepts(
    algorithm: Algorithm, issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    token = issuer.mint(checkout, "orders", algorithm=algorithm, now=now)
    parts = jws.split(token)

    assert library_accepts(token, issuer, "orders", now)
    assert not failures(token, issuer, checkout, now)
    assert parts.header == {"alg": algorithm, "typ": "at+jwt", "kid": issuer.keys[algorithm].kid}
    assert list(parts.claims) == ["iss", "sub", "client_id", "aud", "iat", "nbf", "exp", "jti", "scope"]
    assert parts.claims["sub"] == checkout.spiffe_id
    assert parts.claims["exp"] == int(now.timestamp()) + 300


def test_subject_and_type_follow_the_application(issuer: Issuer, checkout: Identity, now: datetime) -> None:
    token = issuer.mint(checkout, "orders", now=now, typ="JWT", claims={"sub": "checkout@shop"})

    assert not token_failures(
        token,
        jwks=issuer.jwks(),
        issuer=issuer.url,
        audience="orders",
        subjects={"checkout@shop"},
        now=now,
        typ="JWT",
    )


def test_two_tokens_never_share_an_id(issuer: Issuer, checkout: Identity, now: datetime) -> None:
    tokens = (issuer.mint(checkout, "orders", algorithm="ES256", now=now) for _ in range(2))
    first, second = (jws.split(token).claims["jti"] for token in tokens)
    assert first != second


def test_published_keys_are_public_and_named_by_their_thumbprint(issuer: Issuer) -> None:
    keys = issuer.jwks()["keys"]

    assert [key["alg"] for key in keys] == ["RS256", "ES256"]
    for key in keys:
        assert key["kid"] == thumbprint(key)
        assert key["use"] == "sig"
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
    json.dumps(issuer.jwks())


def test_the_thumbprint_is_that_of_the_standards_own_example() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiF"
        "V4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9"
        "c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1"
        "jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"iat": 3600}, Check.ISSUED_AT),
        ({"nbf": 3600}, Check.NOT_BEFORE),
        ({"exp": -3600}, Check.EXPIRY),
    ],
)
def test_each_date_has_a_check_of_its_own(
    changes: dict[str, int], check: Check, issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    claims = {name: int(now.timestamp()) + offset for name, offset in changes.items()}
    token = issuer.mint(checkout, "orders", algorithm="ES256", now=now, claims=claims)

    assert failures(token, issuer, checkout, now) == {check}


@pytest.mark.parametrize("date", ["9999999999", True, None, [1], float("1e400")])
def test_a_date_that_is_no_number_never_comes_and_has_always_passed(
    date: object, issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    for claim, check in (("exp", Check.EXPIRY), ("nbf", Check.NOT_BEFORE)):
        token = issuer.mint(checkout, "orders", algorithm="ES256", now=now, claims={claim: date})
        expected = {Check.FORMAT} if date == float("inf") else {check}
        assert failures(token, issuer, checkout, now) == expected


def test_a_key_nobody_published_fails_key_id_and_an_audience_may_be_a_list(
    issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    draft = issuer.draft(checkout, "orders", algorithm="ES256", now=now, claims={"aud": ["x", "orders"]})
    header = {**draft.header, "kid": "unknown"}
    signed = jws.signing_input(header, draft.claims)

    assert not failures(draft.token(), issuer, checkout, now)
    assert failures(jws.join(signed, draft.key.sign(signed)), issuer, checkout, now) == {Check.KEY_ID}


def test_the_type_and_the_subject_have_checks_of_their_own(
    issuer: Issuer, checkout: Identity, orders: Identity, now: datetime
) -> None:
    assert failures(issuer.mint(checkout, "orders", now=now, typ="JWT"), issuer, checkout, now) == {Check.TYPE}
    assert failures(issuer.mint(orders, "orders", now=now), issuer, checkout, now) == {Check.SUBJECT}
    odd = issuer.mint(checkout, "orders", now=now, claims={"sub": ["a list"]})
    assert failures(odd, issuer, checkout, now) == {Check.SUBJECT}


@pytest.mark.parametrize("text", ["a.b", "a.b.c", "e30.e30.=", "e30.W10.", "e30.e31.", "....", "é.é.é", "e30.e30.e"])
def test_what_is_no_compact_jws_fails_format_alone(
    text: str, issuer: Issuer, checkout: Identity, now: datetime
) -> None:
    assert failures(text, issuer, checkout, now) == {Check.FORMAT}


def test_no_token_fails_presence_alone(issuer: Issuer, checkout: Identity, now: datetime) -> None:
    assert failures(" ", issuer, checkout, now) == {Check.PRESENCE}


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_base64url_comes_back_as_it_went(octets: bytes) -> None:
    assert jws.decode(jws.encode(octets)) == octets


OFFSETS = st.sampled_from([None, -7200, -3600, 3600, 7200])
CLAIMS = st.fixed_dictionaries(
    {"exp": OFFSETS, "nbf": OFFSETS, "iat": OFFSETS},
    optional={
        "aud": st.sampled_from(["orders", "billing", ["billing", "orders"], [], ""]),
        "iss": st.sampled_from(["https://issuer.shop.test", "https://issuer.shop.test/", "https://issuer"]),
    },
)


@settings(max_examples=150, deadline=None)
@given(drawn=CLAIMS, algorithm=st.sampled_from(ALGORITHMS), dropped=st.sampled_from(["", "aud", "exp", "nbf"]))
def test_the_library_agrees_on_dates_audience_and_issuer(
    issuer: Issuer,
    checkout: Identity,
    now: datetime,
    drawn: dict[str, Any],
    algorithm: Algorithm,
    dropped: str,
) -> None:
    dates = {n: int(now.timestamp()) + drawn[n] for n in ("exp", "nbf", "iat") if drawn[n] is not None}
    draft = issuer.draft(checkout, "orders", algorithm=algorithm, now=now, claims={**drawn, **dates})
    claims = {n: v for n, v in draft.claims.items() if v is not None and n != dropped}
    signed = jws.signing_input(draft.header, claims)
    token = jws.join(signed, draft.key.sign(signed))

    assert library_accepts(token, issuer, "orders", now) == (not failures(token, issuer, checkout, now))


def failures(token: str, issuer: Issuer, identity: Identity, now: datetime) -> frozenset[Check]:
    return token_failures(
        token,
        jwks=issuer.jwks(),
        issuer=issuer.url,
        audience="orders",
        subjects={identity.spiffe_id},
        now=now,
    )
