"""Certificates made on the spot, each in a file of its own with its key, as a probe's Secret holds them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_HOUR = timedelta(hours=1)
_CURVE = ec.SECP256R1()


class Authority:
    """A CA whose certificates are written into a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(_CURVE)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder(self._name, self._name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - _HOUR)
            .not_valid_after(now + _HOUR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, SHA256())
        )
        self.file = directory / f"{name}-ca.pem"
        self.file.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
        ends_in: timedelta = _HOUR,
        padding: int = 0,
        chain: bool = False,
        curve: ec.EllipticCurve = _CURVE,
    ) -> None:
        """Write ``<name>.pem``; ``padding`` makes the leaf so many bytes larger, ``chain`` adds the CA."""
        key = ec.generate_private_key(curve)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - 2 * _HOUR)
            .not_valid_after(now + ends_in)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if padding:
            filler = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x04\x00" + bytes(padding))
            builder = builder.add_extension(filler, critical=False)
        pem = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        if chain:
            pem += self._certificate.public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self._directory / f"{name}.pem").write_bytes(pem + private)


TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@cache
def server_context(
    directory: Path,
    version: ssl.TLSVersion = TLS_1_3,
    verify: ssl.VerifyMode = ssl.CERT_REQUIRED,
    tickets: bool = True,
    credential: str = "server",
) -> ssl.SSLContext:
    """A server that shows ``credential`` and trusts the clients of ``good-ca.pem``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / f"{credential}.pem")
    context.load_verify_locations(directory / "good-ca.pem")
    context.verify_mode = verify
    context.minimum_version = context.maximum_version = version
    if not tickets:
        context.num_tickets = 0
    return context
