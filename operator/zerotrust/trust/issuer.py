"""The run's token issuer: JWT access tokens (RFC 9068), and the drafts that forgeries start from."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from zerotrust.trust import jws
from zerotrust.trust.identity import Identity
from zerotrust.trust.keys import ALGORITHMS, Algorithm, SigningKey
from zerotrust.trust.svid import CLOCK_SKEW

TOKEN_LIFETIME = timedelta(minutes=5)
AT_JWT = "at+jwt"
"""The `typ` of an access token (RFC 9068 §2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDraft:
    """A token before it is signed; a forgery is this draft with one attribute replaced."""

    issuer: "Issuer"
    key: SigningKey = field(repr=False)
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    now: datetime

    @property
    def signing_input(self) -> bytes:
        """What the signature covers."""
        return jws.signing_input(self.header, self.claims)

    def signature(self) -> bytes:
        """The key's signature; one of ECDSA is another each time."""
        return self.key.sign(self.signing_input)

    def token(self) -> str:
        """The signed token in compact serialisation."""
        return jws.join(self.signing_input, self.signature())


@dataclass(frozen=True, slots=True)
class Issuer:
    """The token issuer of one run. Its keys live in memory only and die with the run."""

    url: str
    created: datetime
    keys: Mapping[Algorithm, SigningKey] = field(repr=False)

    @classmethod
    def create(cls, url: str, *, now: datetime) -> Self:
        """Make an issuer with a fresh key for each algorithm (RSA-2048 costs about 50 ms)."""
        return cls(url, now, {algorithm: SigningKey.generate(algorithm) for algorithm in ALGORITHMS})

    def jwks(self) -> dict[str, Any]:
        """The public keys, as to be published (RFC 7517 §5)."""
        return {"keys": [dict(key.jwk) for key in self.keys.values()]}

    def mint(
        self,
        identity: Identity,
        audience: str,
        *,
        algorithm: Algorithm = "RS256",
        now: datetime,
        lifetime: timedelta = TOKEN_LIFETIME,
        typ: str = AT_JWT,
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """Mint a good access token; `claims` go over the identity's own, which go over the standard ones."""
        return self.draft(
            identity, audience, algorithm=algorithm, now=now, lifetime=lifetime, typ=typ, claims=claims
        ).token()

    def draft(
        self,
        identity: Identity,
        audience: str,
        *,
        algorithm: Algorithm = "RS256",
        now: datetime,
        lifetime: timedelta = TOKEN_LIFETIME,
        typ: str = AT_JWT,
        claims: Mapping[str, object] | None = None,
    ) -> TokenDraft:
        """Draw up a good access token (RFC 9068 §2), `iat` and `nbf` dated back as certificates are."""
        issued = int((now - CLOCK_SKEW).timestamp())
        key = self.keys[algorithm]
        return TokenDraft(
            issuer=self,
            key=key,
            now=now,
            header={"alg": algorithm, "typ": typ, "kid": key.kid},
            claims={
                "iss": self.url,
                "sub": identity.spiffe_id,
                "client_id": identity.name,
                "aud": audience,
                "iat": issued,
                "nbf": issued,
                "exp": int((now + lifetime).timestamp()),
                "jti": str(uuid.uuid4()),
                **identity.claims,
                **(claims or {}),
            },
        )
