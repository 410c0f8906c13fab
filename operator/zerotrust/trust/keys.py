"""Signing keys and what the world gets to see of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from zerotrust.trust import jws

Algorithm = Literal["RS256", "ES256"]
ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "ES256")

_RSA, _ES = RSAAlgorithm(RSAAlgorithm.SHA256), ECAlgorithm(ECAlgorithm.SHA256, ec.SECP256R1)
REQUIRED_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, the algorithm it serves, and its public half as published."""

    algorithm: Algorithm
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)
    jwk: Mapping[str, str]

    @classmethod
    def generate(cls, algorithm: Algorithm) -> Self:
        """A fresh RSA-2048 (about 50 ms) or P-256 key."""
        private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == "RS256":
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        else:
            private = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        members = {name: str(public[name]) for name in REQUIRED_MEMBERS[public["kty"]]}
        return cls(algorithm, private, {**members, "use": "sig", "alg": algorithm, "kid": thumbprint(members)})

    @property
    def kid(self) -> str:
        """The key's id: its RFC 7638 thumbprint."""
        return self.jwk["kid"]

    def sign(self, signed: bytes) -> bytes:
        """A JWS signature (RFC 7518 §3.3, §3.4)."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return _RSA.sign(signed, self.private)
        return _ES.sign(signed, self.private)


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The SHA-256 thumbprint of a public key (RFC 7638 §3)."""
    members = {name: jwk[name] for name in sorted(REQUIRED_MEMBERS[jwk["kty"]])}
    return jws.encode(hashlib.sha256(jws.compact_json(members)).digest())


def verifies(jwk: Mapping[str, Any], algorithm: object, signed: bytes, signature: bytes) -> bool:
    """Whether a published key, used with `algorithm`, verifies a signature; one of another kind does not."""
    public = PyJWK(dict(jwk)).key
    if isinstance(public, rsa.RSAPublicKey) and algorithm == "RS256":
        return _RSA.verify(signed, public, signature)
    if isinstance(public, ec.EllipticCurvePublicKey) and algorithm == "ES256":
        return _ES.verify(signed, public, signature)
    return False


def serialisations(jwk: Mapping[str, Any]) -> dict[str, bytes]:
    """A public key in every form a server may hold it, by name: what a confused server keys an HMAC with."""
    public = PyJWK(dict(jwk)).key
    spki = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forms = {
        "spki-pem": spki,
        "spki-pem-without-newline": spki.rstrip(),
        "spki-der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": jws.compact_json(jwk),
    }
    if isinstance(public, rsa.RSAPublicKey):
        pkcs1 = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        forms |= {"pkcs1-pem": pkcs1, "pkcs1-pem-without-newline": pkcs1.rstrip()}
    return forms
