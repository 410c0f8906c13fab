"""OpenSSL, asked for its opinion: a server that requires a client certificate, in memory."""

import ssl
from datetime import datetime
from pathlib import Path

import pytest

from zerotrust.trust.authority import Authority
from zerotrust.trust.certificate_checks import CertificateCheck as Check
from zerotrust.trust.forgeries import CERTIFICATE_FORGERIES, forge_certificate
from zerotrust.trust.identity import Identity
from zerotrust.trust.inspect import server_certificate_failures
from zerotrust.trust.svid import Credential

LEFT_TO_THE_APPLICATION = {Check.SUBJECT_ALT_NAME, Check.IDENTITY}
"""A TLS library asks nothing about a client's names."""
LEFT_TO_THE_STRICT = {Check.END_ENTITY}
"""Whether a leaf may be an authority is SPIFFE's rule, and OpenSSL's only with X509_V_FLAG_X509_STRICT."""

STRICT = pytest.mark.parametrize("strict", [False, True], ids=["default", "strict"])


def endpoint(side: int, credential: Credential, ca_pem: str, folder: Path, strict: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=ca_pem)
    files = folder / f"{side}.crt", folder / f"{side}.key"
    files[0].write_text(credential.certificate)
    files[1].write_text(credential.key)
    if side == ssl.PROTOCOL_TLS_CLIENT:
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # to refuse a weak key is the server's task
    context.load_cert_chain(*files)
    return context


def handshake(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> ssl.SSLObject:
    """Drive both sides to the end and return the client's; the server's refusal rises from here."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
        if not waiting:
            return client
    raise AssertionError("the handshake never ends")


@STRICT
def test_openssl_accepts_the_good_svid_on_both_sides(
    strict: bool, authority: Authority, checkout: Identity, orders: Identity, now: datetime, tmp_path: Path
) -> None:
    client = endpoint(ssl.PROTOCOL_TLS_CLIENT, authority.issue(checkout, now=now), authority.ca_pem, tmp_path, strict)
    server = endpoint(ssl.PROTOCOL_TLS_SERVER, authority.issue(orders, now=now), authority.ca_pem, tmp_path, strict)
    presented = handshake(client, server).getpeercert(binary_form=True)

    assert presented
    assert not server_certificate_failures(presented, [], ca_pem=authority.ca_pem, identity=orders, now=now)


@STRICT
@pytest.mark.parametrize("name", CERTIFICATE_FORGERIES)
def test_openssl_refuses_each_forgery_but_of_names(
    name: str,
    strict: bool,
    authority: Authority,
    checkout: Identity,
    orders: Identity,
    now: datetime,
    tmp_path: Path,
) -> None:
    forged = forge_certificate(name, authority, checkout, now=now)
    client = endpoint(ssl.PROTOCOL_TLS_CLIENT, forged, authority.ca_pem, tmp_path, strict)
    server = endpoint(ssl.PROTOCOL_TLS_SERVER, authority.issue(orders, now=now), authority.ca_pem, tmp_path, strict)
    breaks = CERTIFICATE_FORGERIES[name].breaks
    if breaks is Check.REVOCATION:
        handshake(client, server)  # nobody looks without a list
        server.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        (tmp_path / "crl.pem").write_text(authority.crl_pem(now))
        server.load_verify_locations(cafile=tmp_path / "crl.pem")

    if breaks in LEFT_TO_THE_APPLICATION or (breaks in LEFT_TO_THE_STRICT and not strict):
        handshake(client, server)
    else:
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(client, server)


def test_openssl_honours_the_revocation_list(
    authority: Authority, checkout: Identity, orders: Identity, now: datetime, tmp_path: Path
) -> None:
    client = endpoint(ssl.PROTOCOL_TLS_CLIENT, authority.issue(checkout, now=now), authority.ca_pem, tmp_path, False)
    server = endpoint(ssl.PROTOCOL_TLS_SERVER, authority.issue(orders, now=now), authority.ca_pem, tmp_path, False)
    server.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF

    with pytest.raises(ssl.SSLCertVerificationError):  # no list, no trust: the flag is on
        handshake(client, server)
    (tmp_path / "crl.pem").write_text(authority.crl_pem(now))
    server.load_verify_locations(cafile=tmp_path / "crl.pem")
    handshake(client, server)
