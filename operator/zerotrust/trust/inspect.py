"""Judge the certificate a server presented. Its bytes are hostile: each is an answer, none an error."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from zerotrust.trust.certificate_checks import (
    MAX_CHAIN,
    SERVER_CHECKS,
    UNREADABLE,
    CertificateCheck,
    Shown,
    build_path,
    failures,
    readable,
    strict_parsing,
)
from zerotrust.trust.identity import Identity

MAX_CERTIFICATE = 64 * 1024
"""Longest DER that is read, in bytes."""


def server_certificate_failures(
    leaf_der: bytes, chain_der: Sequence[bytes], *, ca_pem: str, identity: Identity, now: datetime
) -> frozenset[CertificateCheck]:
    """Every check the server's certificate fails; empty means the run's authority issued it to the identity.

    `chain_der` is what came after the leaf, and may repeat leaf or root. An empty leaf fails PRESENCE;
    one that cannot be read, or is beyond all measure, fails ENCODING. That the server holds the key was TLS's
    to show.
    """
    if not leaf_der:
        return frozenset({CertificateCheck.PRESENCE})
    if len(chain_der) > MAX_CHAIN or any(len(der) > MAX_CERTIFICATE for der in (leaf_der, *chain_der)):
        return frozenset({CertificateCheck.ENCODING})
    try:
        with strict_parsing():
            chain = [readable(x509.load_der_x509_certificate(der)) for der in (leaf_der, *chain_der)]
    except UNREADABLE:
        return frozenset({CertificateCheck.ENCODING})
    path, anchored = build_path(chain, x509.load_pem_x509_certificates(ca_pem.encode()))
    return failures(SERVER_CHECKS, Shown(path, anchored, True, {identity.spiffe_id}, now))
