"""The reference verifier of certificates, as checks that know nothing of one another.

It exists to prove forgeries: one that fails exactly one check is accepted by the verifier with that check
left out, and by no verifier that has it. Each check therefore answers its own question only and passes over
what another check already answers for.
"""

import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from zerotrust.trust.svid import Credential

MAX_CHAIN = 8
"""Certificates considered in a path; longer chains end without an anchor."""

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    Warning,
)
"""Everything the parser raises, under `strict_parsing`, for bytes that are no certificate it can read."""


class CertificateCheck(StrEnum):
    """What a verifier asks of a certificate."""

    PRESENCE = "presence"
    """A certificate is shown at all (RFC 8446 §4.4.2.4)."""
    ENCODING = "encoding"
    """Everything shown can be read as certificates and a key (RFC 5280 §4.1)."""
    POSSESSION = "possession"
    """The private key belongs to the leaf (RFC 8446 §4.4.3)."""
    TRUST_ANCHOR = "trust-anchor"
    """The names of issuers lead to a trust anchor (RFC 5280 §6.1.3 a 4)."""
    SIGNATURE = "signature"
    """Each certificate is signed by the key of the issuer it names (RFC 5280 §6.1.3 a 1)."""
    ISSUER_AUTHORITY = "issuer-authority"
    """Each issuer is a CA and may sign certificates (RFC 5280 §6.1.4 k, n)."""
    PATH_LENGTH = "path-length"
    """No issuer has more issuers below it than it allows (RFC 5280 §6.1.4 l, m)."""
    NAME_CONSTRAINTS = "name-constraints"
    """The leaf's URIs lie where each issuer may name them (RFC 5280 §4.2.1.10)."""
    CRITICAL_EXTENSIONS = "critical-extensions"
    """Every critical extension of the path is understood (RFC 5280 §4.2)."""
    REVOCATION = "revocation"
    """The issuer's list does not name the leaf (RFC 5280 §6.3)."""
    KEY_STRENGTH = "key-strength"
    """The leaf's key has 112 bits of strength at least (NIST SP 800-131A)."""
    END_ENTITY = "end-entity"
    """The leaf is not a CA itself (X509-SVID §5.2)."""
    NOT_BEFORE = "not-before"
    """No certificate of the path lies in the future (RFC 5280 §6.1.3 a 2)."""
    NOT_AFTER = "not-after"
    """No certificate of the path has expired (RFC 5280 §6.1.3 a 2)."""
    CLIENT_AUTH_USAGE = "client-auth-usage"
    """An extended key usage, where present, allows a TLS client (RFC 5280 §4.2.1.12)."""
    SERVER_AUTH_USAGE = "server-auth-usage"
    """The extended key usage allows a TLS server (RFC 5280 §4.2.1.12)."""
    SUBJECT_ALT_NAME = "subject-alt-name"
    """The leaf names exactly one URI (X509-SVID §5.2)."""
    IDENTITY = "identity"
    """A URI, where the leaf has one, is that of an expected identity (RFC 9525 §6)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown, read, beside what is expected of it. `path` runs from the leaf towards the root."""

    path: tuple[x509.Certificate, ...]
    anchored: bool
    possessed: bool
    expected: Collection[str]
    now: datetime
    revoked: frozenset[int] = frozenset()

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the peer itself."""
        return self.path[0]


Holds = Callable[[Shown], bool]
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)


def signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key made the certificate's signature."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def signatures_hold(shown: Shown) -> bool:
    """Each certificate by the next, the last by itself if it says so; a missing issuer is TRUST_ANCHOR's."""
    last = shown.path[-1]
    pairs = [*zip(shown.path, shown.path[1:], strict=False)]
    if last.issuer == last.subject:
        pairs.append((last, last))
    return all(signed(certificate, issuer) for certificate, issuer in pairs)


def may_issue(certificate: x509.Certificate) -> bool:
    """CA:true, and keyCertSign where a key usage is stated."""
    constraints = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    return constraints is not None and constraints.ca and (usage is None or usage.key_cert_sign)


def claims_authority(certificate: x509.Certificate) -> bool:
    """CA:true, keyCertSign or cRLSign: any of them makes it more than an end entity."""
    constraints = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    signs = usage is not None and (usage.key_cert_sign or usage.crl_sign)
    return signs or (constraints is not None and constraints.ca)


def lengths_hold(shown: Shown) -> bool:
    """Each issuer's path length against the number of issuers below it."""
    for below, issuer in enumerate(shown.path[1:]):
        constraints = extension(issuer, x509.BasicConstraints)
        if constraints and constraints.path_length is not None and below > constraints.path_length:
            return False
    return True


def names_are_permitted(shown: Shown) -> bool:
    """Each URI's host within the permitted subtrees of every issuer that states some for URIs."""
    hosts = [urlsplit(uri).hostname or "" for uri in uris(shown.leaf)]
    for issuer in shown.path[1:]:
        constraints = extension(issuer, x509.NameConstraints)
        stated = (constraints.permitted_subtrees if constraints else None) or []
        permitted = [name.value for name in stated if isinstance(name, x509.UniformResourceIdentifier)]
        if permitted and not all(any(_within(host, name) for name in permitted) for host in hosts):
            return False
    return True


def _within(host: str, subtree: str) -> bool:
    return host.endswith(subtree) if subtree.startswith(".") else host == subtree


def understood(certificate: x509.Certificate) -> bool:
    """No critical extension that the library has no name for."""
    return not any(e.critical and isinstance(e.value, x509.UnrecognizedExtension) for e in certificate.extensions)


def is_strong(certificate: x509.Certificate) -> bool:
    """RSA from 2048 bits, elliptic curves from 224 (NIST SP 800-57 part 1, table 2)."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= 2048
    return not isinstance(key, ec.EllipticCurvePublicKey) or key.key_size >= 224


def usages(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    """The extended key usages, empty where the extension is missing."""
    return frozenset(extension(certificate, x509.ExtendedKeyUsage) or ())


def uris(certificate: x509.Certificate) -> list[str]:
    """The URIs among the subject's alternative names."""
    names = extension(certificate, x509.SubjectAlternativeName)
    return names.get_values_for_type(x509.UniformResourceIdentifier) if names else []


def extension(certificate: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT | None:
    """An extension's value, None where the certificate has none of that kind."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


PATH_CHECKS: dict[CertificateCheck, Holds] = {
    CertificateCheck.TRUST_ANCHOR: lambda shown: shown.anchored,
    CertificateCheck.SIGNATURE: signatures_hold,
    CertificateCheck.ISSUER_AUTHORITY: lambda shown: all(map(may_issue, shown.path[1:])),
    CertificateCheck.PATH_LENGTH: lengths_hold,
    CertificateCheck.NAME_CONSTRAINTS: names_are_permitted,
    CertificateCheck.CRITICAL_EXTENSIONS: lambda shown: all(map(understood, shown.path)),
    CertificateCheck.REVOCATION: lambda shown: shown.leaf.serial_number not in shown.revoked,
    CertificateCheck.KEY_STRENGTH: lambda shown: is_strong(shown.leaf),
    CertificateCheck.END_ENTITY: lambda shown: not claims_authority(shown.leaf),
    CertificateCheck.NOT_BEFORE: lambda shown: all(c.not_valid_before_utc <= shown.now for c in shown.path),
    CertificateCheck.NOT_AFTER: lambda shown: all(shown.now <= c.not_valid_after_utc for c in shown.path),
    CertificateCheck.SUBJECT_ALT_NAME: lambda shown: len(uris(shown.leaf)) == 1,
    CertificateCheck.IDENTITY: lambda shown: (
        not (named := uris(shown.leaf)) or any(uri in shown.expected for uri in named)
    ),
}
"""Asked of clients and servers alike."""

CLIENT_CHECKS = PATH_CHECKS | {
    CertificateCheck.POSSESSION: lambda shown: shown.possessed,
    CertificateCheck.CLIENT_AUTH_USAGE: lambda shown: (
        not (stated := usages(shown.leaf)) or ExtendedKeyUsageOID.CLIENT_AUTH in stated
    ),
}

SERVER_CHECKS = PATH_CHECKS | {
    CertificateCheck.SERVER_AUTH_USAGE: lambda shown: ExtendedKeyUsageOID.SERVER_AUTH in usages(shown.leaf),
}


def certificate_failures(
    credential: Credential, *, ca_pem: str, allowed: Collection[str], now: datetime, crl_pem: str = ""
) -> frozenset[CertificateCheck]:
    """Every check a client's credential fails; empty means a server should accept it.

    `allowed` are SPIFFE ids, `crl_pem` the anchor's revocation list if there is one. What cannot be read fails
    PRESENCE or ENCODING alone: nothing more can be asked.
    """
    if not credential.certificate.strip():
        return frozenset({CertificateCheck.PRESENCE})
    try:
        with strict_parsing():
            chain = [readable(c) for c in x509.load_pem_x509_certificates(credential.certificate.encode())]
        key = load_pem_private_key(credential.key.encode(), password=None)
    except UNREADABLE:
        return frozenset({CertificateCheck.ENCODING})
    path, anchored = build_path(chain, x509.load_pem_x509_certificates(ca_pem.encode()))
    possessed = key.public_key() == chain[0].public_key()
    revoked = frozenset(entry.serial_number for entry in x509.load_pem_x509_crl(crl_pem.encode())) if crl_pem else ()
    return failures(CLIENT_CHECKS, Shown(path, anchored, possessed, allowed, now, frozenset(revoked)))


def failures(checks: dict[CertificateCheck, Holds], shown: Shown) -> frozenset[CertificateCheck]:
    """The checks that do not hold."""
    return frozenset(check for check, holds in checks.items() if not holds(shown))


def build_path(
    shown: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> tuple[tuple[x509.Certificate, ...], bool]:
    """Follow issuer names from the leaf, and say whether that ends at an anchor.

    Anchors go before what was shown. Names alone decide; among issuers of one name, as after a rotation, the
    one whose key fits is taken, so that only a signature that fits none of them fails SIGNATURE.
    """
    path = [shown[0]]
    while path[-1] not in anchors and len(path) < MAX_CHAIN:
        last = path[-1]
        named = [c for c in anchors if c.subject == last.issuer] or [
            c for c in shown[1:] if c.subject == last.issuer and c not in path
        ]
        if not named:
            break
        path.append(next((c for c in named if signed(last, c)), named[0]))
    return tuple(path), path[-1] in anchors


@contextmanager
def strict_parsing() -> Iterator[None]:
    """Make errors of the parser's warnings: what breaks the standard is unreadable, and logs nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def readable(certificate: x509.Certificate) -> x509.Certificate:
    """The certificate, after reading now everything the parser would otherwise read, and raise for, later."""
    for part in (certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()):
        repr(part)
    repr((certificate.not_valid_before_utc, certificate.not_valid_after_utc))
    return certificate
