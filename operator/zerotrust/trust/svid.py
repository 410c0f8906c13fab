"""X.509-SVIDs as drafts: a good one is drawn up, a forgery replaces one attribute, then it is signed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from zerotrust.trust.identity import Identity

CLOCK_SKEW = timedelta(seconds=60)
"""How far everything good is dated back, so that a server whose clock lags does not refuse it."""

COMMON_NAME_LENGTH = 64
"""Longest CN and O an X.520 name may hold."""

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
END_ENTITY = x509.BasicConstraints(ca=False, path_length=None)
CLIENT_AND_SERVER = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller shows and holds: a PEM chain, leaf first, and the leaf's PKCS#8 PEM key."""

    certificate: str
    key: str = field(repr=False)  # never in a log line


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate authority able to sign; `chain` is what its leaves send along after themselves.

    `revoked`: serial numbers that its next revocation list names.
    """

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()
    revoked: set[int] = field(default_factory=set)

    @property
    def key_identifier(self) -> x509.SubjectKeyIdentifier:
        """The SubjectKeyIdentifier as the certificate states it."""
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value


@dataclass(frozen=True, slots=True, kw_only=True)
class SvidDraft:
    """An X.509-SVID before it is signed; a forgery is this draft with one attribute replaced.

    `signer` None means self-signed. `names` and `usages`, when empty, leave their extension out.
    """

    identity: Identity
    now: datetime
    signer: Signer | None
    not_before: datetime
    not_after: datetime
    names: tuple[x509.GeneralName, ...]
    subject: x509.Name = field(default_factory=lambda: x509.Name([]))
    usages: tuple[x509.ObjectIdentifier, ...] = CLIENT_AND_SERVER
    constraints: x509.BasicConstraints = END_ENTITY
    usage: x509.KeyUsage = field(default_factory=lambda: key_usage(digital_signature=True))
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    """Further extensions, each with whether it is critical."""
    revoked: bool = False
    """The signer revokes the certificate as soon as it is made."""
    key: PrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)

    def credential(self) -> Credential:
        """Sign the draft; the chain is the leaf and whatever its signer sends along."""
        chain = (self.sign(), *(self.signer.chain if self.signer else ()))
        return Credential("".join(map(pem, chain)), key_pem(self.key))

    def sign(self) -> x509.Certificate:
        """Sign the leaf alone (RFC 5280 §4.1; X509-SVID §4)."""
        signer, public_key, serial = self.signer, self.key.public_key(), x509.random_serial_number()
        if self.revoked and signer:
            signer.revoked.add(serial)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(signer.certificate.subject if signer else self.subject)
            .public_key(public_key)
            .serial_number(serial)
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_after)
            .add_extension(self.constraints, critical=True)
            .add_extension(self.usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )
        if signer:
            authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer.key_identifier)
            builder = builder.add_extension(authority, critical=False)
        if self.names:  # critical, because the subject is empty (RFC 5280 §4.2.1.6)
            builder = builder.add_extension(x509.SubjectAlternativeName(self.names), critical=True)
        if self.usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.usages), critical=False)
        for extension, critical in self.more:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(signer.key if signer else self.key, hashes.SHA256())


def root(
    name: x509.Name,
    trust_domain: str,
    *,
    not_before: datetime,
    not_after: datetime,
    key_identifier: x509.SubjectKeyIdentifier | None = None,
) -> Signer:
    """Make a self-signed P-256 authority for a trust domain (X509-SVID §3, RFC 5280 §4.2.1).

    `key_identifier` overrides the one computed from the new key: only an impostor wants that.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = key_identifier or x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    domain = x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.SubjectAlternativeName([domain]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Signer(certificate, key)


def key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    """A KeyUsage with only the named bits set."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def distinguished_name(common_name: str, organization: str = "") -> x509.Name:
    """CN and, if given, O, cut to the length X.520 allows."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name[:COMMON_NAME_LENGTH])]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:COMMON_NAME_LENGTH]))
    return x509.Name(attributes)


def pem(certificate: x509.Certificate) -> str:
    """A certificate as PEM text."""
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: PrivateKey) -> str:
    """A private key as unencrypted PKCS#8 PEM text."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
