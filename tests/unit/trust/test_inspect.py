"""Judging what a server presented."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from zerotrust.trust.authority import Authority
from zerotrust.trust.certificate_checks import CertificateCheck as Check
from zerotrust.trust.forgeries.certificates import impostor
from zerotrust.trust.identity import Identity
from zerotrust.trust.inspect import server_certificate_failures
from zerotrust.trust.svid import SvidDraft


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def test_the_servers_own_svid_is_right_with_and_without_its_root(
    authority: Authority, orders: Identity, now: datetime
) -> None:
    leaf = der(authority.draft(orders, now=now).sign())
    for chain in ([], [der(authority.signer.certificate)], [leaf], [leaf, der(authority.signer.certificate)]):
        assert not server_certificate_failures(leaf, chain, ca_pem=authority.ca_pem, identity=orders, now=now)


URI = x509.UniformResourceIdentifier


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (lambda d: replace(d, not_after=d.now - timedelta(seconds=5)), Check.NOT_AFTER),
        (lambda d: replace(d, not_before=d.now + timedelta(seconds=5)), Check.NOT_BEFORE),
        (lambda d: replace(d, usages=(ExtendedKeyUsageOID.CLIENT_AUTH,)), Check.SERVER_AUTH_USAGE),
        (lambda d: replace(d, usages=()), Check.SERVER_AUTH_USAGE),
        (lambda d: replace(d, names=()), Check.SUBJECT_ALT_NAME),
        (lambda d: replace(d, names=d.names[1:]), Check.SUBJECT_ALT_NAME),
        (lambda d: replace(d, names=(*d.names, URI("spiffe://shop.test/ns/x/sa/y"))), Check.SUBJECT_ALT_NAME),
        (lambda d: replace(d, names=(URI(d.identity.spiffe_id + "-evil"),)), Check.IDENTITY),
        (lambda d: replace(d, names=(URI(d.identity.spiffe_id + "/"),)), Check.IDENTITY),
        (lambda d: replace(d, names=(URI(d.identity.spiffe_id[:-1]),)), Check.IDENTITY),
        (lambda d: replace(d, names=(URI(d.identity.spiffe_id.upper()),)), Check.IDENTITY),
        (lambda d: replace(d, signer=impostor(d, foreign_name=True)), Check.TRUST_ANCHOR),
        (lambda d: replace(d, signer=impostor(d, foreign_name=False)), Check.SIGNATURE),
    ],
)
def test_each_fault_is_named(
    spoil: Callable[[SvidDraft], SvidDraft],
    check: Check,
    authority: Authority,
    orders: Identity,
    now: datetime,
) -> None:
    draft = spoil(authority.draft(orders, now=now))
    chain = [der(c) for c in draft.signer.chain] if draft.signer else []

    assert server_certificate_failures(der(draft.sign()), chain, ca_pem=authority.ca_pem, identity=orders, now=now) == {
        check
    }


def test_another_workloads_certificate_is_not_the_servers(
    authority: Authority, orders: Identity, checkout: Identity, now: datetime
) -> None:
    leaf = der(authority.draft(checkout, now=now).sign())

    assert server_certificate_failures(leaf, [], ca_pem=authority.ca_pem, identity=orders, now=now) == {Check.IDENTITY}


def test_nothing_too_much_and_nonsense_are_answers(authority: Authority, orders: Identity, now: datetime) -> None:
    leaf = der(authority.draft(orders, now=now).sign())

    def judge(presented: bytes, chain: list[bytes]) -> frozenset[Check]:
        return server_certificate_failures(presented, chain, ca_pem=authority.ca_pem, identity=orders, now=now)

    assert judge(b"", []) == {Check.PRESENCE}
    assert judge(b"nonsense", []) == {Check.ENCODING}
    assert judge(leaf, [b"nonsense"]) == {Check.ENCODING}
    assert judge(leaf, [b""]) == {Check.ENCODING}
    assert judge(leaf, [leaf] * 9) == {Check.ENCODING}
    assert judge(b"0" * 100_000, []) == {Check.ENCODING}


def test_what_the_parser_only_warns_of_is_unreadable(authority: Authority, orders: Identity, now: datetime) -> None:
    certificate = authority.draft(orders, now=now).sign()
    number = certificate.serial_number
    octets = number.to_bytes(number.bit_length() // 8 + 1, "big")
    negative = der(certificate).replace(octets, bytes([octets[0] | 0x80]) + octets[1:])
    with pytest.warns(CryptographyDeprecationWarning, match="serial number"):
        x509.load_der_x509_certificate(negative)

    failed = server_certificate_failures(negative, [], ca_pem=authority.ca_pem, identity=orders, now=now)
    assert failed == {Check.ENCODING}


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 10_000), octet=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_certificate_is_never_right_and_never_an_error(
    authority: Authority, orders: Identity, now: datetime, position: int, octet: int, cut: bool
) -> None:
    leaf = bytearray(der(authority.draft(orders, now=now).sign()))
    good, index = bytes(leaf), position % len(leaf)
    leaf[index] = octet
    presented = bytes(leaf[:index]) if cut else bytes(leaf)

    failed = server_certificate_failures(presented, [], ca_pem=authority.ca_pem, identity=orders, now=now)
    assert bool(failed) == (presented != good)
