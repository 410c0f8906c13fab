"""Forged certificates whose fault lies above the leaf, or in what the issuer says of it."""

from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from zerotrust.trust.certificate_checks import CertificateCheck as Check
from zerotrust.trust.forgeries.certificates import forgery
from zerotrust.trust.svid import Credential, Signer, SvidDraft, distinguished_name, key_usage

AUTHORITY = key_usage(key_cert_sign=True, crl_sign=True)
UNKNOWN_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")
"""Below the arc that RFC 5612 keeps for documentation: nobody's software knows it."""
ELSEWHERE = "elsewhere.invalid"


@forgery(Check.REVOCATION)
def revoked_certificate(good: SvidDraft) -> Credential:
    """A certificate of the run's authority that its revocation list names."""
    return replace(good, revoked=True).credential()


@forgery(Check.ISSUER_AUTHORITY)
def issued_by_leaf_certificate(good: SvidDraft) -> Credential:
    """A certificate issued by another end entity of the run's authority."""
    return _below(good, intermediate(good, name="leaf", constraints=x509.BasicConstraints(False, None)))


@forgery(Check.ISSUER_AUTHORITY)
def issuer_without_cert_sign_certificate(good: SvidDraft) -> Credential:
    """A certificate from an intermediate authority whose key may not sign certificates."""
    return _below(good, intermediate(good, name="unfit", usage=key_usage(digital_signature=True)))


@forgery(Check.PATH_LENGTH)
def path_too_long_certificate(good: SvidDraft) -> Credential:
    """A certificate from an intermediate authority below one that may have none below it."""
    first = intermediate(good, name="first")
    return _below(good, intermediate(replace(good, signer=first), name="second"))


@forgery(Check.TRUST_ANCHOR)
def missing_intermediate_certificate(good: SvidDraft) -> Credential:
    """A certificate from an intermediate authority that nobody shows."""
    return _below(good, replace(intermediate(good, name="unseen"), chain=()))


@forgery(Check.NAME_CONSTRAINTS)
def name_constraint_certificate(good: SvidDraft) -> Credential:
    """A certificate from an intermediate authority that may name another trust domain only."""
    permitted = x509.NameConstraints([x509.UniformResourceIdentifier(ELSEWHERE)], None)
    return _below(good, intermediate(good, name="confined", more=((permitted, True),)))


@forgery(Check.CRITICAL_EXTENSIONS)
def unknown_critical_extension_certificate(good: SvidDraft) -> Credential:
    """A certificate with a critical extension that nobody understands."""
    return replace(good, more=((x509.UnrecognizedExtension(UNKNOWN_EXTENSION, b"\x05\x00"), True),)).credential()


@forgery(Check.END_ENTITY)
def authority_as_leaf_certificate(good: SvidDraft) -> Credential:
    """A certificate in the trusted identity's name that may itself issue others."""
    return replace(good, constraints=x509.BasicConstraints(True, 0), usage=_leaf_and_authority()).credential()


@forgery(Check.KEY_STRENGTH)
def weak_key_certificate(good: SvidDraft) -> Credential:
    """A certificate of the run's authority for an RSA key of 1024 bits."""
    return replace(good, key=rsa.generate_private_key(65537, 1024)).credential()  # noqa: S505 - weak on purpose


def intermediate(
    good: SvidDraft,
    *,
    name: str,
    constraints: x509.BasicConstraints = x509.BasicConstraints(True, 0),  # noqa: B008 - immutable
    usage: x509.KeyUsage = AUTHORITY,
    more: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> Signer:
    """An authority below the draft's own signer, which its leaves send along."""
    above = good.signer
    if above is None:
        raise ValueError("only an issued certificate has somebody to go between")
    draft = replace(
        good, subject=distinguished_name(f"zerotrust {name}"), names=(), usages=(), constraints=constraints,
        usage=usage, more=more,
    )  # fmt: skip
    certificate = draft.sign()
    return Signer(certificate, draft.key, (certificate, *above.chain))


def _below(good: SvidDraft, signer: Signer) -> Credential:
    """The good draft from another signer, with a key of its own: an issuer's key must not be its leaf's."""
    drafted = SvidDraft(
        identity=good.identity, now=good.now, signer=signer, not_before=good.not_before, not_after=good.not_after,
        names=good.names,
    )  # fmt: skip
    return drafted.credential()


def _leaf_and_authority() -> x509.KeyUsage:
    return key_usage(digital_signature=True, key_cert_sign=True)
