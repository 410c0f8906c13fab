"""The run's certificate authority: one root, SVIDs below it, and its revocation list."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from zerotrust.trust.identity import Identity
from zerotrust.trust.svid import CLOCK_SKEW, Credential, Signer, SvidDraft, distinguished_name, pem, root

COMMON_NAME = "zerotrust run authority"
MARGIN = timedelta(hours=3)
"""The root's validity reaches this far beyond its leaves on both sides, so that a leaf forged into the past
or the future still lies within it and is refused for its own dates."""


@dataclass(frozen=True, slots=True)
class Authority:
    """The certificate authority of one run. Its key lives in memory only and dies with the run."""

    trust_domain: str
    lifetime: timedelta
    signer: Signer

    @classmethod
    def create(cls, trust_domain: str, *, now: datetime, lifetime: timedelta) -> Self:
        """Make the authority with a fresh P-256 key; `now` is timezone-aware, `lifetime` its leaves'."""
        signer = root(
            distinguished_name(COMMON_NAME, trust_domain),
            trust_domain,
            not_before=now - MARGIN,
            not_after=now + lifetime + MARGIN,
        )
        return cls(trust_domain, lifetime, signer)

    @property
    def ca_pem(self) -> str:
        """The root certificate, the one trust anchor of the run."""
        return pem(self.signer.certificate)

    def issue(self, identity: Identity, *, now: datetime) -> Credential:
        """Issue a good X.509-SVID with a fresh P-256 key, valid from a minute ago until `now` + lifetime."""
        return self.draft(identity, now=now).credential()

    def draft(self, identity: Identity, *, now: datetime) -> SvidDraft:
        """Draw up the good SVID of an identity: one URI, its DNS names, nothing in the subject."""
        uri = x509.UniformResourceIdentifier(identity.spiffe_id)
        return SvidDraft(
            identity=identity,
            now=now,
            signer=self.signer,
            not_before=now - CLOCK_SKEW,
            not_after=min(now + self.lifetime, self.signer.certificate.not_valid_after_utc),
            names=(uri, *map(x509.DNSName, identity.dns_names)),
        )

    def crl_pem(self, now: datetime) -> str:
        """The revocation list (RFC 5280 §5), good as long as the root: a stale one bars everybody."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.signer.certificate.subject)
            .last_update(now - CLOCK_SKEW)
            .next_update(self.signer.certificate.not_valid_after_utc)
            .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self.signer.key_identifier),
                critical=False,
            )
        )
        for serial in sorted(self.signer.revoked):
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - CLOCK_SKEW)
            builder = builder.add_revoked_certificate(entry.build())
        crl = builder.sign(self.signer.key, hashes.SHA256())
        return crl.public_bytes(Encoding.PEM).decode()
