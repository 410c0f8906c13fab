"""Certificates of the run's own authority in names that are nearly, but not quite, the trusted one.

An issuer gives each workload the name it asks for within its own bounds; who compares names loosely lets the
neighbour in. Each differs from the good SVID in its URI alone (SPIFFE-ID §2; RFC 9525 §6).
"""

from dataclasses import replace

from cryptography import x509

from zerotrust.trust.certificate_checks import CertificateCheck as Check
from zerotrust.trust.forgeries.certificates import forgery
from zerotrust.trust.svid import Credential, SvidDraft, distinguished_name

STRANGER = "stranger"


@forgery(Check.IDENTITY)
def longer_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate whose SPIFFE id continues the trusted one."""
    return _named(good, f"{good.identity.spiffe_id}-{STRANGER}")


@forgery(Check.IDENTITY)
def shorter_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate whose SPIFFE id is the beginning of the trusted one."""
    return _named(good, good.identity.spiffe_id[:-1])


@forgery(Check.IDENTITY)
def deeper_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate whose SPIFFE id lies below the trusted one."""
    return _named(good, f"{good.identity.spiffe_id}/{STRANGER}")


@forgery(Check.IDENTITY)
def other_zone_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate of a namesake in another namespace."""
    return _named(good, good.identity.spiffe_id.replace(f"/ns/{good.identity.zone}/", f"/ns/{STRANGER}/", 1))


@forgery(Check.IDENTITY)
def other_domain_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate with the trusted path in another trust domain."""
    return _named(good, good.identity.spiffe_id.replace("spiffe://", f"spiffe://{STRANGER}.", 1))


@forgery(Check.IDENTITY)
def longer_domain_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate with the trusted path in a trust domain that continues the trusted one."""
    return _named(good, good.identity.spiffe_id.replace("/ns/", f".{STRANGER}/ns/", 1))


@forgery(Check.IDENTITY)
def embedded_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate whose URI holds the trusted SPIFFE id as a part."""
    return _named(good, f"spiffe://{STRANGER}.invalid/{good.identity.spiffe_id.partition('://')[2]}")


@forgery(Check.IDENTITY)
def other_case_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate whose SPIFFE id is the trusted one in capitals."""
    head, mark, path = good.identity.spiffe_id.partition("/ns/")
    return _named(good, f"{head}{mark.upper()}{path.upper()}")


@forgery(Check.IDENTITY)
def trailing_slash_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate whose URI is the trusted SPIFFE id with a slash at its end, which is none."""
    return _named(good, f"{good.identity.spiffe_id}/")


@forgery(Check.IDENTITY)
def dot_segment_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate whose URI becomes the trusted SPIFFE id once dot segments are resolved."""
    head, _, name = good.identity.spiffe_id.rpartition("/")
    return _named(good, f"{head}/{STRANGER}/../{name}")


@forgery(Check.IDENTITY)
def encoded_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate whose URI becomes the trusted SPIFFE id once it is percent-decoded."""
    head, _, name = good.identity.spiffe_id.rpartition("/")
    return _named(good, f"{head}/%{ord(name[0]):02x}{name[1:]}")


@forgery(Check.IDENTITY)
def other_scheme_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate with the trusted SPIFFE id under another scheme."""
    return _named(good, good.identity.spiffe_id.replace("spiffe://", "https://", 1))


@forgery(Check.IDENTITY)
def loose_pattern_identity_certificate(good: SvidDraft) -> Credential:
    """A certificate in whose trust domain another character stands for each dot."""
    domain = good.identity.trust_domain
    swapped = domain.replace(".", "-") if "." in domain else f"{domain}-{STRANGER}"
    return _named(good, good.identity.spiffe_id.replace(f"//{domain}/", f"//{swapped}/", 1))


@forgery(Check.IDENTITY)
def common_name_identity_certificate(good: SvidDraft) -> Credential:
    """A stranger's certificate with the trusted name as its common name."""
    own = _strangers(good)
    return replace(good, names=(own,), subject=distinguished_name(good.identity.name)).credential()


@forgery(Check.IDENTITY)
def common_name_uri_certificate(good: SvidDraft) -> Credential:
    """A stranger's certificate with the trusted SPIFFE id as its common name."""
    own = _strangers(good)
    return replace(good, names=(own,), subject=distinguished_name(good.identity.spiffe_id)).credential()


@forgery(Check.SUBJECT_ALT_NAME)
def two_identities_certificate(good: SvidDraft) -> Credential:
    """A certificate that names the trusted identity first and another after it."""
    return replace(good, names=(*good.names, _strangers(good))).credential()


@forgery(Check.SUBJECT_ALT_NAME)
def two_identities_reversed_certificate(good: SvidDraft) -> Credential:
    """A certificate that names another identity first and the trusted one after it."""
    return replace(good, names=(_strangers(good), *good.names)).credential()


def _strangers(good: SvidDraft) -> x509.UniformResourceIdentifier:
    head, _, _ = good.identity.spiffe_id.rpartition("/")
    return x509.UniformResourceIdentifier(f"{head}/{STRANGER}")


def _named(good: SvidDraft, uri: str) -> Credential:
    """The good draft under another URI; its DNS names stay, for they are what it may have."""
    others = tuple(name for name in good.names if not isinstance(name, x509.UniformResourceIdentifier))
    return replace(good, names=(x509.UniformResourceIdentifier(uri), *others)).credential()
