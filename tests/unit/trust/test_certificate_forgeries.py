"""Forged certificates: each potent, and none that fails for another reason."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotrust.trust.authority import Authority
from zerotrust.trust.certificate_checks import CertificateCheck as Check
from zerotrust.trust.certificate_checks import certificate_failures
from zerotrust.trust.forgeries import CERTIFICATE_FORGERIES, ImpotentForgery, forge_certificate
from zerotrust.trust.forgeries.certificates import impostor
from zerotrust.trust.forgeries.registry import Family, Forgery
from zerotrust.trust.identity import Identity
from zerotrust.trust.svid import Credential, Signer, SvidDraft, pem

OF_THE_PATH = {
    Check.TRUST_ANCHOR,
    Check.SIGNATURE,
    Check.NOT_BEFORE,
    Check.NOT_AFTER,
    Check.CLIENT_AUTH_USAGE,
    Check.ISSUER_AUTHORITY,
    Check.PATH_LENGTH,
    Check.NAME_CONSTRAINTS,
    Check.CRITICAL_EXTENSIONS,
    Check.END_ENTITY,
}
"""The checks the library's own verifier makes as well."""


def library_accepts(credential: Credential, anchors: str, now: datetime) -> bool:
    leaf, *rest = x509.load_pem_x509_certificates(credential.certificate.encode())
    store = Store(x509.load_pem_x509_certificates(anchors.encode()))
    try:
        PolicyBuilder().store(store).time(now).build_client_verifier().verify(leaf, rest)
    except VerificationError:
        return False
    return True


def test_the_good_svid_passes_every_check(authority: Authority, checkout: Identity, now: datetime) -> None:
    credential = authority.issue(checkout, now=now)

    assert not certificate_failures(credential, ca_pem=authority.ca_pem, allowed={checkout.spiffe_id}, now=now)
    assert library_accepts(credential, authority.ca_pem, now)


@pytest.mark.parametrize("name", CERTIFICATE_FORGERIES)
def test_each_forgery_fails_exactly_the_check_it_names(
    name: str, authority: Authority, checkout: Identity, now: datetime
) -> None:
    credential = forge_certificate(name, authority, checkout, now=now)
    forgery = CERTIFICATE_FORGERIES[name]

    failed = certificate_failures(
        credential, ca_pem=authority.ca_pem, allowed={checkout.spiffe_id}, now=now, crl_pem=authority.crl_pem(now)
    )

    assert failed == {forgery.breaks}
    assert forgery.name == name
    assert forgery.summary.endswith(".")


@pytest.mark.parametrize("name", [n for n, f in CERTIFICATE_FORGERIES.items() if f.breaks in OF_THE_PATH])
def test_the_library_refuses_each_forgery_of_the_path(
    name: str, authority: Authority, checkout: Identity, now: datetime
) -> None:
    assert not library_accepts(forge_certificate(name, authority, checkout, now=now), authority.ca_pem, now)


@pytest.mark.parametrize("name", ["self-signed-certificate", "other-ca-certificate", "same-name-ca-certificate"])
def test_a_foreign_certificate_is_good_to_whoever_trusts_its_issuer(
    name: str, authority: Authority, checkout: Identity, now: datetime
) -> None:
    credential = forge_certificate(name, authority, checkout, now=now)

    assert not certificate_failures(credential, ca_pem=credential.certificate, allowed={checkout.spiffe_id}, now=now)


@pytest.mark.parametrize(
    ("name", "offset"),
    [("expired-certificate", timedelta(minutes=-90)), ("not-yet-valid-certificate", timedelta(minutes=90))],
)
def test_a_certificate_out_of_its_time_is_good_in_its_time(
    name: str, offset: timedelta, authority: Authority, checkout: Identity, now: datetime
) -> None:
    credential = forge_certificate(name, authority, checkout, now=now)

    assert library_accepts(credential, authority.ca_pem, now + offset)


def test_the_certificate_of_another_identity_fails_the_identity_check_alone(
    authority: Authority, checkout: Identity, orders: Identity, now: datetime
) -> None:
    credential = authority.issue(orders, now=now)

    assert certificate_failures(credential, ca_pem=authority.ca_pem, allowed={checkout.spiffe_id}, now=now) == {
        Check.IDENTITY
    }


def test_a_certificate_with_the_key_of_another_fails_possession_alone(
    authority: Authority, checkout: Identity, now: datetime
) -> None:
    mixed = replace(authority.issue(checkout, now=now), key=authority.issue(checkout, now=now).key)

    assert certificate_failures(mixed, ca_pem=authority.ca_pem, allowed={checkout.spiffe_id}, now=now) == {
        Check.POSSESSION
    }


def test_a_leaf_that_signs_a_leaf_is_no_authority(authority: Authority, checkout: Identity, now: datetime) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "leaf")])
    good = replace(authority.draft(checkout, now=now), subject=name)
    leaf = good.sign()
    below = replace(authority.draft(checkout, now=now), signer=Signer(leaf, good.key, (leaf,)))

    assert certificate_failures(below.credential(), ca_pem=authority.ca_pem, allowed={checkout.spiffe_id}, now=now) == {
        Check.ISSUER_AUTHORITY
    }


def test_a_ca_that_may_not_sign_certificates_is_no_authority(
    authority: Authority, checkout: Identity, now: datetime
) -> None:
    good = authority.draft(checkout, now=now)
    unfit = replace(
        good,
        signer=None,
        subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA without keyCertSign")]),
        constraints=x509.BasicConstraints(ca=True, path_length=None),
    )
    anchor = unfit.sign()
    below = replace(authority.draft(checkout, now=now), signer=Signer(anchor, unfit.key))

    assert certificate_failures(below.credential(), ca_pem=pem(anchor), allowed={checkout.spiffe_id}, now=now) == {
        Check.ISSUER_AUTHORITY
    }


def test_a_leaf_that_calls_itself_an_authority_is_no_end_entity(
    authority: Authority, checkout: Identity, now: datetime
) -> None:
    draft = replace(authority.draft(checkout, now=now), constraints=x509.BasicConstraints(ca=True, path_length=None))

    assert certificate_failures(draft.credential(), ca_pem=authority.ca_pem, allowed={checkout.spiffe_id}, now=now) == {
        Check.END_ENTITY
    }


def test_nothing_and_nonsense_fail_presence_and_encoding_alone(authority: Authority, now: datetime) -> None:
    def judge(certificate: str, key: str = "") -> frozenset[Check]:
        return certificate_failures(Credential(certificate, key), ca_pem=authority.ca_pem, allowed=(), now=now)

    assert judge("") == {Check.PRESENCE}
    assert judge("nonsense") == {Check.ENCODING}
    assert judge(authority.ca_pem, "nonsense") == {Check.ENCODING}


def test_after_a_rotation_both_roots_of_one_name_are_anchors(checkout: Identity, now: datetime) -> None:
    old, new = (Authority.create("shop.test", now=now, lifetime=timedelta(hours=1)) for _ in range(2))
    bundle = old.ca_pem + new.ca_pem
    for authority in (old, new):
        credential = authority.issue(checkout, now=now)
        assert not certificate_failures(credential, ca_pem=bundle, allowed={checkout.spiffe_id}, now=now)


def test_an_impotent_forgery_raises(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, checkout: Identity, now: datetime
) -> None:
    def harmless(good: SvidDraft) -> Credential:
        return good.credential()

    def doubly_broken(good: SvidDraft) -> Credential:
        expired = replace(good, not_after=good.now - timedelta(seconds=5), names=())
        return expired.credential()

    for make, got in ((harmless, set[Check]()), (doubly_broken, {Check.NOT_AFTER, Check.SUBJECT_ALT_NAME})):
        forgery = Forgery("impotent", "Impotent.", Check.NOT_AFTER, make)
        monkeypatch.setattr("zerotrust.trust.forgeries.CERTIFICATE_FORGERIES", {"impotent": forgery})
        with pytest.raises(ImpotentForgery) as raised:
            forge_certificate("impotent", authority, checkout, now=now)
        assert (raised.value.name, raised.value.expected, raised.value.got) == (
            "impotent",
            Check.NOT_AFTER,
            frozenset(got),
        )


def test_two_forgeries_of_one_name_and_one_without_a_description_are_refused_at_import() -> None:
    family: Family[SvidDraft, Credential, Check] = Family()

    @family.breaks(Check.NOT_AFTER)
    def stale(good: SvidDraft) -> Credential:
        """Stale."""
        return good.credential()

    with pytest.raises(ValueError, match="two forgeries are called stale"):
        family.breaks(Check.NOT_AFTER)(stale)
    with pytest.raises(ValueError, match="no docstring"):
        family.breaks(Check.NOT_AFTER)(lambda good: good.credential())


HOURS = st.sampled_from([-30, -2, -1, 1, 2, 30])
USAGES = st.sampled_from(
    [
        (),
        (ExtendedKeyUsageOID.CLIENT_AUTH,),
        (ExtendedKeyUsageOID.SERVER_AUTH,),
        (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
        (ExtendedKeyUsageOID.CODE_SIGNING,),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    dates=st.tuples(HOURS, HOURS).filter(lambda d: d[0] < d[1]),
    usages=USAGES,
    signer=st.sampled_from(["genuine", "foreign name", "same name"]),
    constraints=st.booleans(),
    at=st.sampled_from([0, -90, 90, 24 * 60]),
)
def test_the_library_agrees_on_path_dates_and_usage(
    authority: Authority,
    checkout: Identity,
    now: datetime,
    dates: tuple[int, int],
    usages: tuple[x509.ObjectIdentifier, ...],
    signer: str,
    constraints: bool,
    at: int,
) -> None:
    draft = replace(
        authority.draft(checkout, now=now),
        not_before=now + timedelta(hours=dates[0]),
        not_after=now + timedelta(hours=dates[1]),
        usages=usages,
        constraints=x509.BasicConstraints(ca=constraints, path_length=None),
    )
    if signer != "genuine":
        draft = replace(draft, signer=impostor(draft, foreign_name=signer == "foreign name"))
    credential, moment = draft.credential(), now + timedelta(minutes=at)
    failed = certificate_failures(credential, ca_pem=authority.ca_pem, allowed={checkout.spiffe_id}, now=moment)

    assert failed <= OF_THE_PATH
    assert library_accepts(credential, authority.ca_pem, moment) == (not failed)
