"""mTLS: is the client's certificate asked for, verified and matched with a trusted identity?

What each case presents is made in ``trust``; RFC 8446 section 4.4.2-4.4.4, RFC 5280 section 6, SPIFFE X509-SVID.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from zerotrust.layers.base import (
    OUTSIDER,
    Admitted,
    Approach,
    Boundary,
    Coverage,
    Draft,
    Layer,
    Presents,
    Ref,
    Refused,
    Trial,
    alerts,
    refuse,
    statuses,
)
from zerotrust.layers.names import Names, Spec

REFUSALS = alerts(
    "access_denied",
    "bad_certificate",
    "certificate_expired",
    "certificate_required",
    "certificate_revoked",
    "certificate_unknown",
    "decrypt_error",
    "handshake_failure",
    "unknown_ca",
    "unsupported_certificate",
) | statuses(401, 403)
"""Alerts about a client certificate, and the statuses of servers that decide about it after the handshake."""
PLAINTEXT_REFUSALS = frozenset({"http:400", "http:426", "http:closed", "http:reset", "http:tls"})


class Check(StrEnum):
    """What a server may be meant to check beyond what every TLS stack does; each adds cases."""

    REVOCATION = "Revocation"  # crl.pem of ConfigMap trust (RFC 5280 section 6.3)
    SPIFFE = "Spiffe"  # exactly one URI, and no authority as a leaf (X509-SVID section 5.2)
    STRONG_KEYS = "StrongKeys"  # no RSA below 2048 bits (NIST SP 800-131A)


class MtlsSpec(Spec):
    """Whose certificates are accepted."""

    allow: Annotated[Names, Field(description="Identities whose certificates are accepted.")]
    checks: Annotated[
        tuple[Check, ...],
        Field(
            max_length=3,
            json_schema_extra={"x-kubernetes-list-type": "set"},
            description="What this server is meant to check beyond what every TLS stack does.",
        ),
    ] = ()


class MtlsLayer(Layer[MtlsSpec]):
    """Decides by the client's certificate."""

    def admits(self, boundary: Boundary, identity: str) -> bool:
        spec = self.of(boundary)
        return spec is None or identity in spec.allow

    def dress(self, boundary: Boundary, identity: str, approach: Approach) -> Approach:
        return replace(approach, tls=True, certificate=Ref(identity))


mtls = MtlsLayer("mtls", MtlsSpec, order=20)

AUTHENTICATION = ("NIST SP 800-53r5 IA-3", "NIST SP 800-53r5 IA-5(2)", "ASVS 5.0 V12.1.3")
CHAIN = ("RFC 5280 section 6.1", *AUTHENTICATION)
IDENTITY = ("SPIFFE X509-SVID section 5", "NIST SP 800-53r5 IA-9", "NIST SP 800-207 tenet 6")


def trusted(boundary: Boundary) -> Iterator[tuple[str, Approach]]:
    """Each identity whose certificate is accepted, with its good approach."""
    for name in boundary.identities:
        approach = boundary.good(name) if mtls.admits(boundary, name) else None
        if approach:
            yield name, approach


def forged(boundary: Boundary, forgery: str, *, check: Check | None = None) -> Iterator[Draft]:
    """A draft for each trusted identity, its certificate forged; with ``check`` only where that check is declared."""
    spec = mtls.of(boundary)
    if check is not None and (spec is None or check not in spec.checks):
        return
    for name, good in trusted(boundary):
        yield refuse(name, good, REFUSALS, certificate=Ref(name, forgery))


def _nobody(boundary: Boundary) -> Approach | None:
    """Where no certificate is accepted: the approach of a stranger, which nothing can be a control of."""
    return boundary.good(OUTSIDER)


@mtls.case(
    motive="A trusted client that is shut out is an outage, and makes every refusal meaningless.",
    remedy="Trust the run's CA (ca.crt) for client certificates and accept this identity's SPIFFE id.",
    references=AUTHENTICATION,
    vacuous="the answer came from elsewhere; the server's own certificate is judged beside it.",
    coverage=Coverage.ESSENTIAL,
)
def allowed(boundary: Boundary) -> Iterator[Draft]:
    """A trusted identity with its own certificate is let in."""
    for name, good in trusted(boundary):
        yield Draft(name, Admitted(), (Trial("", good, good),))


@mtls.case(
    motive="Where the certificate is optional, mTLS is only encryption: anybody may call.",
    remedy="Require a client certificate (Envoy: require_client_certificate, nginx: ssl_verify_client on).",
    references=("RFC 8446 section 4.4.2.4", *AUTHENTICATION),
    vacuous="the server had never asked for a certificate; only alerts after a CertificateRequest count.",
    coverage=Coverage.ESSENTIAL,
)
def no_certificate(boundary: Boundary) -> Iterator[Draft]:
    """A client without a certificate is refused."""
    for name, good in trusted(boundary):
        yield refuse(name, good, REFUSALS, certificate=None)


@mtls.case(
    motive="Expiry is the last revocation that always works; a server that ignores it trusts every leaked old key.",
    remedy="Do not disable validity checks; check the server's clock.",
    references=("RFC 5280 section 6.1.3", *CHAIN),
    vacuous="the clocks differed; the certificate ended an hour ago, beyond any leeway, and its issuer is still valid.",
    coverage=Coverage.ESSENTIAL,
)
def expired_certificate(boundary: Boundary) -> Iterator[Draft]:
    """A certificate that expired an hour ago is refused."""
    yield from forged(boundary, "expired-certificate")


@mtls.case(
    motive="A certificate of the future shows a wrong clock or a validity check that is off.",
    remedy="Do not disable validity checks; check the server's clock.",
    references=("RFC 5280 section 6.1.3", *CHAIN),
    vacuous="the clocks differed; it begins an hour from now, and its issuer is valid already.",
)
def not_yet_valid_certificate(boundary: Boundary) -> Iterator[Draft]:
    """A certificate that becomes valid in an hour is refused."""
    yield from forged(boundary, "not-yet-valid-certificate")


@mtls.case(
    motive="Anyone can sign a certificate for themselves in any name.",
    remedy="Verify the chain up to the trust domain's CA; never accept untrusted certificates for inspection.",
    references=CHAIN,
    vacuous="the server refused everybody; the trusted certificate is let in right before and after.",
    coverage=Coverage.ESSENTIAL,
)
def self_signed_certificate(boundary: Boundary) -> Iterator[Draft]:
    """A certificate signed by its own key, with the trusted identity's names, is refused."""
    yield from forged(boundary, "self-signed-certificate")


@mtls.case(
    motive="A second CA in the bundle lets whoever owns it issue every identity of this trust domain.",
    remedy="Trust exactly the trust domain's CA for client certificates, not a system or shared bundle.",
    references=("SPIFFE Trust Domain and Bundle section 4", *CHAIN),
    vacuous="the foreign chain were broken in itself; it is shown to be good to whoever trusts that CA.",
    coverage=Coverage.ESSENTIAL,
)
def other_ca(boundary: Boundary) -> Iterator[Draft]:
    """A certificate of a foreign CA in the trusted identity's name is refused."""
    yield from forged(boundary, "other-ca-certificate")


@mtls.case(
    motive="A verifier that finds its issuer by name alone trusts everyone who can type that name.",
    remedy="Verify the issuer's signature with the trusted CA's key, not by its subject.",
    references=("RFC 5280 section 6.1.3(a)(1)", *CHAIN),
    vacuous="the signature could not be read; it is a good signature, of another key.",
)
def same_name_ca(boundary: Boundary) -> Iterator[Draft]:
    """A certificate of a CA with the trusted CA's name and another key is refused."""
    yield from forged(boundary, "same-name-ca-certificate")


@mtls.case(
    motive="A valid certificate is not permission: every workload of the trust domain has one.",
    remedy="Match the certificate's SPIFFE id exactly with those that are trusted.",
    references=("SPIFFE X509-SVID section 5.2", *IDENTITY),
    vacuous="the certificate were faulty; it is that identity's own good one, of the same issuer.",
    coverage=Coverage.ESSENTIAL,
)
def wrong_identity(boundary: Boundary) -> Iterator[Draft]:
    """A valid certificate of an identity that is not trusted here is refused."""
    control = next((good for _, good in trusted(boundary)), None)
    for name in (*boundary.identities, OUTSIDER):
        if mtls.admits(boundary, name):
            continue
        if control:
            yield refuse(name, control, REFUSALS, certificate=Ref(name))
        elif stranger := _nobody(boundary):
            trial = Trial("", replace(stranger, certificate=Ref(name)), None)
            yield Draft(name, Refused(REFUSALS), (trial,))


@mtls.case(
    motive="Without a SAN there is no identity; a server that lets it in does not look, or falls back on the CN.",
    remedy="Accept only certificates with exactly one SPIFFE id as URI SAN, and match it.",
    references=("RFC 9525 section 6.3", "SPIFFE X509-SVID section 2"),
    vacuous="the certificate failed for its chain; it differs in the missing names alone.",
)
def no_san(boundary: Boundary) -> Iterator[Draft]:
    """A certificate with the trusted name as common name only is refused."""
    yield from forged(boundary, "no-san-certificate")


@mtls.case(
    motive="A server's certificate, stolen from a web host, must not open doors as a client.",
    remedy="Verify the client certificate for the purpose of client authentication.",
    references=("RFC 5280 section 4.2.1.12", *AUTHENTICATION),
    vacuous="the certificate failed for its chain; it differs in the usage alone.",
)
def server_auth_only(boundary: Boundary) -> Iterator[Draft]:
    """A certificate whose extended key usage is server authentication alone is refused."""
    yield from forged(boundary, "server-auth-only-certificate")


@mtls.case(
    motive="A port that also speaks plaintext serves everyone who does not bother with TLS.",
    remedy="Serve TLS only on this port; answer plaintext with an error, never with data or a redirect.",
    references=("NIST SP 800-53r5 SC-8(1)", "NIST SP 800-207 tenet 2", "ASVS 5.0 V12.3.3"),
    vacuous="the port were dead; the trusted identity gets in over TLS right before and after.",
    coverage=Coverage.ESSENTIAL,
)
def plaintext(boundary: Boundary) -> Iterator[Draft]:
    """A plaintext request to the TLS port is not served."""
    for name, good in trusted(boundary):
        if good.call:
            yield refuse(name, good, PLAINTEXT_REFUSALS, tls=False, certificate=None)


@mtls.case(
    motive="Mutual means both: a client that talks to the wrong server hands it everything.",
    remedy="Serve with the certificate of the declared `server` identity, from Secret <identity>-tls.",
    references=("RFC 9525 section 6", "NIST SP 800-53r5 SC-23", "ASVS 5.0 V12.3.2"),
    vacuous="the certificate were another server's; it is compared with the one that the run issued to the identity.",
    coverage=Coverage.ESSENTIAL,
)
def server_certificate(boundary: Boundary) -> Iterator[Draft]:
    """The server proves to be the declared identity."""
    first = next(trusted(boundary), None)
    if boundary.server and first:
        yield Draft(first[0], Presents(boundary.server), (Trial("", first[1], first[1]),))
