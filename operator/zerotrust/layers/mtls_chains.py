"""mTLS: chains that lead to the right authority and must not be followed (RFC 5280 sections 4.2 and 6.1)."""

from __future__ import annotations

from collections.abc import Iterator

from zerotrust.layers.base import Boundary, Coverage, Draft
from zerotrust.layers.mtls import AUTHENTICATION, CHAIN, Check, forged, mtls

_LIBRARY = "Leave path validation to the TLS library with all its checks on; do not walk chains in code of your own."
_NO_CHAINS = "a server that takes no intermediates at all refuses this too: safe, if for another reason."


@mtls.case(
    motive="A key that was lost stays good until it expires, unless the list of the revoked is read.",
    remedy="Load crl.pem of ConfigMap trust (Envoy: crl, nginx: ssl_crl) and reload it when it changes.",
    references=("RFC 5280 section 6.3", "ASVS 5.0 V12.1.4", *AUTHENTICATION),
    vacuous="the list were stale or missing, which bars everybody; a sibling of the same issuer gets in beside it.",
)
def revoked_certificate(boundary: Boundary) -> Iterator[Draft]:
    """A certificate on the issuer's revocation list is refused."""
    yield from forged(boundary, "revoked-certificate", check=Check.REVOCATION)


@mtls.case(
    motive="If any certificate can issue, every workload is a certificate authority.",
    remedy=_LIBRARY,
    references=("RFC 5280 section 4.2.1.9", *CHAIN),
    vacuous=_NO_CHAINS,
)
def issued_by_leaf(boundary: Boundary) -> Iterator[Draft]:
    """A certificate issued by another workload's certificate is refused."""
    yield from forged(boundary, "issued-by-leaf-certificate")


@mtls.case(
    motive="A key made for other work must not be good for issuing identities.",
    remedy=_LIBRARY,
    references=("RFC 5280 section 4.2.1.3", *CHAIN),
    vacuous=_NO_CHAINS,
    coverage=Coverage.EXHAUSTIVE,
)
def issuer_without_cert_sign(boundary: Boundary) -> Iterator[Draft]:
    """A certificate from an authority whose key may not sign certificates is refused."""
    yield from forged(boundary, "issuer-without-cert-sign-certificate")


@mtls.case(
    motive="An authority that may have none below it must not pass its power on.",
    remedy=_LIBRARY,
    references=("RFC 5280 section 4.2.1.9", *CHAIN),
    vacuous=_NO_CHAINS,
    coverage=Coverage.EXHAUSTIVE,
)
def path_too_long(boundary: Boundary) -> Iterator[Draft]:
    """A certificate from an authority below one that may have none below it is refused."""
    yield from forged(boundary, "path-too-long-certificate")


@mtls.case(
    motive="A chain with a gap proves nothing, and a server that fills it from elsewhere trusts elsewhere.",
    remedy=_LIBRARY,
    references=("RFC 8446 section 4.4.2", *CHAIN),
    vacuous="the leaf were faulty; it is good, and only its issuer is not shown.",
    coverage=Coverage.EXHAUSTIVE,
)
def missing_intermediate(boundary: Boundary) -> Iterator[Draft]:
    """A certificate whose issuer is neither shown nor known is refused."""
    yield from forged(boundary, "missing-intermediate-certificate")


@mtls.case(
    motive="Name constraints are how one authority is kept out of another's trust domain.",
    remedy=_LIBRARY,
    references=("RFC 5280 section 4.2.1.10", "SPIFFE X509-SVID section 4.2", *AUTHENTICATION),
    vacuous=_NO_CHAINS,
    coverage=Coverage.EXHAUSTIVE,
)
def name_constraint(boundary: Boundary) -> Iterator[Draft]:
    """A certificate from an authority that may name another trust domain only is refused."""
    yield from forged(boundary, "name-constraint-certificate")


@mtls.case(
    motive="What is critical and not understood may be the very thing that forbids this use.",
    remedy=_LIBRARY,
    references=("RFC 5280 section 4.2", *AUTHENTICATION),
    vacuous="the certificate failed for its chain; it differs in one extension alone.",
    coverage=Coverage.EXHAUSTIVE,
)
def unknown_critical_extension(boundary: Boundary) -> Iterator[Draft]:
    """A certificate with a critical extension that nobody understands is refused."""
    yield from forged(boundary, "unknown-critical-extension-certificate")


@mtls.case(
    motive="A workload whose certificate may issue others can make itself anybody.",
    remedy="Refuse leaves with CA:true, keyCertSign or cRLSign (OpenSSL: X509_V_FLAG_X509_STRICT, SPIFFE libraries).",
    references=("SPIFFE X509-SVID section 5.2", *AUTHENTICATION),
    vacuous="the certificate failed for its chain; it differs in its constraints and usage alone.",
)
def authority_as_leaf(boundary: Boundary) -> Iterator[Draft]:
    """A certificate that may issue others is refused as a workload's own."""
    yield from forged(boundary, "authority-as-leaf-certificate", check=Check.SPIFFE)


@mtls.case(
    motive="A key that can be computed from its certificate is everybody's key.",
    remedy="Refuse RSA below 2048 bits (OpenSSL: security level 2; Envoy and Go: FIPS or a verifier of your own).",
    references=("NIST SP 800-131A", "ASVS 5.0 V11.6.1", *AUTHENTICATION),
    vacuous="the probe's own library kept the certificate to itself; it presents at security level 0, or says so.",
)
def weak_key(boundary: Boundary) -> Iterator[Draft]:
    """A certificate for an RSA key of 1024 bits is refused."""
    yield from forged(boundary, "weak-key-certificate", check=Check.STRONG_KEYS)
