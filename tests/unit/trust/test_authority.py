"""What the authority issues."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from zerotrust.trust.authority import Authority
from zerotrust.trust.certificate_checks import certificate_failures
from zerotrust.trust.identity import Identity


def test_a_good_svid_is_what_the_spiffe_standard_asks_for(
    authority: Authority, orders: Identity, now: datetime
) -> None:
    credential = authority.issue(orders, now=now)
    leaf = x509.load_pem_x509_certificate(credential.certificate.encode())
    extensions = leaf.extensions
    san = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    ca = x509.load_pem_x509_certificate(authority.ca_pem.encode())

    assert leaf.subject == x509.Name([])
    assert san.critical
    assert list(san.value) == [
        x509.UniformResourceIdentifier("spiffe://shop.test/ns/shop/sa/orders"),
        x509.DNSName("orders"),
        x509.DNSName("orders.shop.svc"),
    ]
    assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
    }
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert (
        extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        == ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    )
    assert timedelta(seconds=59) <= now - leaf.not_valid_before_utc <= timedelta(seconds=61)
    assert leaf.not_valid_after_utc == (now + authority.lifetime).replace(microsecond=0)
    key = load_pem_private_key(credential.key.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == leaf.public_key()


def test_the_root_may_have_one_authority_below_it_and_no_more(authority: Authority) -> None:
    ca = x509.load_pem_x509_certificate(authority.ca_pem.encode())
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    names = ca.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 1)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign) == (True, True, True)
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://shop.test"]
    ca.verify_directly_issued_by(ca)


def test_a_trust_domain_longer_than_a_distinguished_name_may_be_is_no_obstacle(now: datetime) -> None:
    domain = ".".join(["a" * 60] * 4)
    authority = Authority.create(domain, now=now, lifetime=timedelta(hours=1))
    identity = Identity("n" * 250, "shop", domain)
    credential = authority.issue(identity, now=now)

    assert not certificate_failures(credential, ca_pem=authority.ca_pem, allowed={identity.spiffe_id}, now=now)


def test_no_leaf_outlives_its_root(authority: Authority, orders: Identity, now: datetime) -> None:
    late = now + timedelta(hours=3, minutes=30)
    leaf = x509.load_pem_x509_certificate(authority.issue(orders, now=late).certificate.encode())

    assert leaf.not_valid_after_utc == authority.signer.certificate.not_valid_after_utc


def test_the_revocation_list_is_empty_signed_and_in_force(authority: Authority, now: datetime) -> None:
    crl = x509.load_pem_x509_crl(authority.crl_pem(now).encode())

    assert len(crl) == 0
    assert crl.is_signature_valid(authority.signer.key.public_key())
    assert crl.issuer == authority.signer.certificate.subject
    assert crl.next_update_utc is not None
    assert crl.last_update_utc < now < crl.next_update_utc
    assert crl.next_update_utc.tzinfo == UTC


def test_a_private_key_never_shows_in_a_representation(authority: Authority, orders: Identity, now: datetime) -> None:
    assert "PRIVATE" not in repr(authority.issue(orders, now=now))


def test_identities_may_be_keys_of_a_mapping(orders: Identity, checkout: Identity) -> None:
    assert len({orders, checkout, Identity("orders", "shop", "shop.test", orders.dns_names)}) == 2
