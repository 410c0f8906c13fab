"""Everything a run shows and carries: its authority's credentials, and every forgery of them, proven potent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from zerotrust.api import reasons
from zerotrust.api.errors import Broken
from zerotrust.api.resource import seconds
from zerotrust.core import plan
from zerotrust.core.test import CANARY, Test
from zerotrust.layers.base import Boundary, Case, Ref
from zerotrust.trust.authority import Authority
from zerotrust.trust.forgeries import ImpotentForgery, forge_certificate, forge_tokens
from zerotrust.trust.identity import Identity
from zerotrust.trust.inspect import server_certificate_failures
from zerotrust.trust.issuer import Issuer
from zerotrust.trust.svid import Credential

MINIMUM_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class Treasury:
    """A run's own CA and issuer with everything made by them. Lives in memory, for one run."""

    authority: Authority
    issuer: Issuer
    served: Mapping[str, Credential]
    """What each declared identity's workload gets, by identity."""
    carried: Mapping[str, Credential]
    """What probes carry, by credential name."""
    wallet: plan.Wallet
    canary: Credential
    """What the canary shows: in its own name, of an authority nobody trusts."""

    def check_server(self, identity: Identity, leaf: bytes, chain: tuple[bytes, ...], now: datetime) -> frozenset[str]:
        """What is wrong with a certificate that a server showed."""
        found = server_certificate_failures(leaf, chain, ca_pem=self.authority.ca_pem, identity=identity, now=now)
        return frozenset(str(check) for check in found)


def issuer_url(test: Test) -> str:
    """The issuer in tokens and in $(issuer): stable from run to run, resolvable by nobody."""
    return f"https://issuer.{test.spec.sandbox.trust_domain}"


def mint(test: Test, found: Iterable[Case], boundaries: Mapping[str, Boundary], now: datetime) -> Treasury:
    """Make all that the cases need. Errors: Broken(ImpotentForgery) where a forgery would fool nobody."""
    found = list(found)
    lifetime = max(MINIMUM_LIFETIME, timedelta(seconds=seconds(test.spec.run.timeout)))
    authority = Authority.create(test.spec.sandbox.trust_domain, now=now, lifetime=lifetime)
    issuer = Issuer.create(issuer_url(test), now=now)
    known = test.all_identities
    served = {name: authority.issue(identity, now=now) for name, identity in test.identities.items()}
    foreign = Authority.create("canary.invalid", now=now, lifetime=lifetime)
    try:
        carried = {ref.name: _certificate(ref, authority, known, served, now) for ref in plan.certificates(found)}
        tokens = {ref: _tokens(ref, test, issuer, known, now, lifetime) for ref in plan.tokens(found, boundaries)}
    except ImpotentForgery as error:
        raise Broken(reasons.IMPOTENT_FORGERY, str(error)) from error
    canary = foreign.issue(known[CANARY], now=now)
    return Treasury(authority, issuer, served, carried, plan.Wallet(tokens), canary)


def _certificate(
    ref: Ref,
    authority: Authority,
    known: Mapping[str, Identity],
    served: Mapping[str, Credential],
    now: datetime,
) -> Credential:
    if ref.forgery:
        return forge_certificate(ref.forgery, authority, known[ref.identity], now=now)
    return served.get(ref.identity) or authority.issue(known[ref.identity], now=now)


def _tokens(
    wanted: plan.TokenRef,
    test: Test,
    issuer: Issuer,
    known: Mapping[str, Identity],
    now: datetime,
    lifetime: timedelta,
) -> tuple[tuple[str, str], ...]:
    identity, tokens = known[wanted.ref.identity], test.spec.sandbox.tokens
    subject = next((item.subject for item in test.spec.identities if item.name == identity.name), None)
    claims = {"sub": subject} if subject else None
    if wanted.ref.forgery:
        variants = forge_tokens(
            wanted.ref.forgery, issuer, identity, wanted.audience, now=now,
            algorithm=tokens.algorithm, lifetime=lifetime, typ=tokens.typ, claims=claims,
        )  # fmt: skip
        return tuple((variant.label, variant.token) for variant in variants)
    token = issuer.mint(
        identity,
        wanted.audience,
        algorithm=tokens.algorithm,
        now=now,
        lifetime=lifetime,
        typ=tokens.typ,
        claims=claims,
    )
    return (("", token),)
