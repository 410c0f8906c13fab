"""Forged client certificates. Each is the good SVID with one attribute replaced."""

from dataclasses import replace
from datetime import timedelta

from cryptography.x509.oid import ExtendedKeyUsageOID

from zerotrust.trust.certificate_checks import CertificateCheck as Check
from zerotrust.trust.forgeries.registry import Family
from zerotrust.trust.svid import Credential, Signer, SvidDraft, distinguished_name, root

HOUR = timedelta(hours=1)
"""Far beyond any leeway for clocks."""

_family: Family[SvidDraft, Credential, Check] = Family()
CERTIFICATE_FORGERIES = _family.members
forgery = _family.breaks


@forgery(Check.NOT_AFTER)
def expired_certificate(good: SvidDraft) -> Credential:
    """A certificate of the run's authority that expired an hour ago."""
    return replace(good, not_before=good.now - 2 * HOUR, not_after=good.now - HOUR).credential()


@forgery(Check.NOT_BEFORE)
def not_yet_valid_certificate(good: SvidDraft) -> Credential:
    """A certificate of the run's authority that becomes valid in an hour."""
    return replace(good, not_before=good.now + HOUR, not_after=good.now + 2 * HOUR).credential()


@forgery(Check.TRUST_ANCHOR)
def self_signed_certificate(good: SvidDraft) -> Credential:
    """A certificate with the right names, signed by its own key."""
    # An issuer may not be nameless (RFC 5280 §4.1.2.4), and some parsers hold it against the encoding.
    return replace(good, signer=None, subject=distinguished_name(good.identity.name)).credential()


@forgery(Check.TRUST_ANCHOR)
def other_ca_certificate(good: SvidDraft) -> Credential:
    """A certificate with the right names from a foreign authority, which is sent along."""
    return replace(good, signer=impostor(good, foreign_name=True)).credential()


@forgery(Check.SIGNATURE)
def same_name_ca_certificate(good: SvidDraft) -> Credential:
    """A certificate from an authority with the run authority's name and key identifier, but another key."""
    return replace(good, signer=impostor(good, foreign_name=False)).credential()


@forgery(Check.SUBJECT_ALT_NAME)
def no_san_certificate(good: SvidDraft) -> Credential:
    """A certificate of the run's authority that names the identity in its common name only."""
    return replace(good, names=(), subject=distinguished_name(good.identity.name)).credential()


@forgery(Check.CLIENT_AUTH_USAGE)
def server_auth_only_certificate(good: SvidDraft) -> Credential:
    """A certificate of the run's authority that is good for servers, not for clients."""
    return replace(good, usages=(ExtendedKeyUsageOID.SERVER_AUTH,)).credential()


def impostor(good: SvidDraft, *, foreign_name: bool) -> Signer:
    """An authority outside the run, valid for as long as the genuine one."""
    if good.signer is None:
        raise ValueError("only an issued certificate can be imitated")
    genuine = good.signer.certificate
    signer = root(
        distinguished_name("Another authority") if foreign_name else genuine.subject,
        good.identity.trust_domain,
        not_before=genuine.not_valid_before_utc,
        not_after=genuine.not_valid_after_utc,
        key_identifier=None if foreign_name else good.signer.key_identifier,
    )
    return replace(signer, chain=(signer.certificate,))
