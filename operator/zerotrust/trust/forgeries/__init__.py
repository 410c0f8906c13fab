"""Everything the run's authority would never issue, each proven where it is made.

A forgery is one function in a module of this package. Its name is its id, the first line of its docstring its
description, and the check it names is the only one the reference verifier finds broken: with that check left
out it would be accepted. A new module takes `forgery` from the family it belongs to and is found by itself.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from zerotrust.trust.authority import Authority
from zerotrust.trust.certificate_checks import certificate_failures
from zerotrust.trust.forgeries.certificates import CERTIFICATE_FORGERIES
from zerotrust.trust.forgeries.registry import Forgery, ImpotentForgery, prove
from zerotrust.trust.forgeries.tokens import TOKEN_FORGERIES
from zerotrust.trust.identity import Identity
from zerotrust.trust.issuer import AT_JWT, TOKEN_LIFETIME, Issuer
from zerotrust.trust.keys import Algorithm
from zerotrust.trust.svid import Credential
from zerotrust.trust.token_checks import token_failures

__all__ = [
    "CERTIFICATE_FORGERIES",
    "TOKEN_FORGERIES",
    "Forgery",
    "ImpotentForgery",
    "Variant",
    "forge_certificate",
    "forge_tokens",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


@dataclass(frozen=True, slots=True)
class Variant:
    """One token of a forgery; `label` is empty where the forgery has no variants."""

    label: str
    token: str = field(repr=False)


def forge_certificate(name: str, authority: Authority, identity: Identity, *, now: datetime) -> Credential:
    """Forge an identity's certificate; `KeyError` for an unknown name, `ImpotentForgery` for our bug."""
    forgery = CERTIFICATE_FORGERIES[name]
    credential = forgery.make(authority.draft(identity, now=now))
    allowed = {identity.spiffe_id}
    crl = authority.crl_pem(now)
    prove(forgery, certificate_failures(credential, ca_pem=authority.ca_pem, allowed=allowed, now=now, crl_pem=crl))
    return credential


def forge_tokens(
    name: str,
    issuer: Issuer,
    identity: Identity,
    audience: str,
    *,
    now: datetime,
    algorithm: Algorithm = "RS256",
    lifetime: timedelta = TOKEN_LIFETIME,
    typ: str = AT_JWT,
    claims: Mapping[str, object] | None = None,
) -> tuple[Variant, ...]:
    """Forge an identity's token in every variant; raises as `forge_certificate` does.

    `lifetime`, `typ` and `claims` are those of `Issuer.mint`, so that a forgery differs in one thing only.
    """
    forgery = TOKEN_FORGERIES[name]
    good = issuer.draft(identity, audience, algorithm=algorithm, now=now, lifetime=lifetime, typ=typ, claims=claims)
    forged = forgery.make(good)
    tokens = {"": forged} if isinstance(forged, str) else forged
    for label, token in tokens.items():
        got = token_failures(
            token,
            jwks=issuer.jwks(),
            issuer=issuer.url,
            audience=audience,
            subjects={str(good.claims["sub"])},
            now=now,
            typ=typ,
        )
        prove(forgery, got, label=label)
    if not tokens:
        raise ImpotentForgery(name, forgery.breaks, frozenset())
    return tuple(Variant(label, token) for label, token in tokens.items())
