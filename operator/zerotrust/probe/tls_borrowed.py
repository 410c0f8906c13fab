"""TLS as a client that shows somebody's certificate and signs with another key, which OpenSSL would never do.

What is wrong is the CertificateVerify message alone (RFC 8446 section 4.4.3). tlslite-ng is written in Python and
slow to load, so it is loaded by the asks that need it only.
"""

from __future__ import annotations

import errno
import hashlib
import math
import ssl
import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it offers itself to asyncore, too
    from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
    from tlslite.errors import TLSAbruptCloseError, TLSError, TLSLocalAlert, TLSRemoteAlert

from zerotrust.contract import Ending, Tls, TlsSeen
from zerotrust.probe.clock import now
from zerotrust.probe.tls import HANDSHAKE_BYTES, MAX_CERTIFICATES
from zerotrust.probe.wire import ANSWER_BYTES, CHUNK, Flood, Garbled, Wire, ending

_VERSIONS = {(3, 3): "TLSv1.2", (3, 4): "TLSv1.3"}
_HARMLESS = (0, 90)  # close_notify and user_canceled, RFC 8446 section 6.1


class Borrowed:
    """TLS above a wire, with a certificate whose key is not there."""

    def __init__(self, wire: Wire, offer: Tls, directory: str) -> None:
        wire.allow(HANDSHAKE_BYTES)
        self._wire, self._offer = wire, offer
        self._socket = _Socket(wire)
        self._connection: Any = TLSConnection(self._socket)
        with open(f"{directory}/{offer.credential}.pem", encoding="ascii") as file:  # noqa: PTH123 - no pathlib here
            chain = X509CertChain()
            chain.parsePemList(file.read())
        with open(f"{directory}/{offer.key}.pem", encoding="ascii") as file:  # noqa: PTH123
            text = file.read()
        self._chain = chain
        self._key = _Watched(parsePEMKey(text[text.index("-----BEGIN PRIVATE KEY") :], private=True))
        self._finished, self._data = False, False
        self._reading: Any = None
        self._alert, self._ended, self.error = "", Ending.NONE, ""
        self.early = b""
        """What the server said before it was spoken to."""

    def open(self, speaks: bool) -> bool:
        """Shake hands and listen for the server's judgement; whether a request may follow."""
        settings = HandshakeSettings()
        settings.minVersion, settings.maxVersion = (3, 3), (3, 4)
        settings.certificate_compression_send = settings.certificate_compression_receive = []  # OpenSSL objects
        try:
            shaking = self._connection.handshakeClientCert(
                self._chain, self._key, settings=settings, serverName=self._offer.sni or None, async_=True
            )
            for _ in shaking:
                raise TimeoutError
            self._finished = True
            self._wire.allow(ANSWER_BYTES)
            self._socket.until = now() + self._offer.patience if speaks else math.inf
            self.early = self.read()
            if not self.early:
                raise ConnectionAbortedError
        except TimeoutError:
            if not self._finished:
                self._ended = Ending.TIMED_OUT
        except (OSError, Flood, Garbled) as error:
            self._ended = self._ended or ending(error)
        except TLSError as error:
            self._note(error)
        finally:
            self._socket.until = math.inf
        return self._finished and self._ended is Ending.NONE and not self._alert

    def write(self, data: bytes) -> None:
        """Have bytes sent while reading."""
        self._connection.write(data)

    def read(self) -> bytes:
        """The next bytes, ``b""`` at the end of the stream. Errors: those that ``ending`` names."""
        self._reading = self._reading or self._connection.readAsync(CHUNK, 1)
        try:
            data = next(self._reading, b"")
        except TLSError as error:
            self._note(error)
            raise ConnectionAbortedError(self._alert) from error
        if isinstance(data, int):  # it wants more from the wire, and can go on later
            raise TimeoutError
        self._reading = None
        self._data |= bool(data)
        return bytes(data)

    def seen(self) -> TlsSeen:
        """What this connection showed so far."""
        asked = self._key.used
        return TlsSeen(
            finished=self._finished,
            asked=asked,
            version=_VERSIONS.get(tuple(self._connection.version), "") if self._finished else "",
            accepted="data" if self._data else "",
            alert=self._alert,
            ended=Ending.NONE if self._alert else self._ended,
            certificates=tuple(self.certificates()),
            withheld=self._finished and not asked,
        )

    def certificates(self) -> dict[str, bytes]:
        """The certificates (DER by SHA-256) the server showed, leaf first."""
        chain = getattr(getattr(self._connection, "session", None), "serverCertChain", None)
        shown = [bytes(certificate.bytes) for certificate in (chain.x509List if chain else [])[:MAX_CERTIFICATES]]
        return {hashlib.sha256(der).hexdigest(): der for der in shown}

    def _note(self, error: TLSError) -> None:
        if isinstance(error, TLSRemoteAlert):
            if error.description not in _HARMLESS:
                self._alert = _name(error.description)
        elif isinstance(error, TLSAbruptCloseError):
            self._ended = Ending.CLOSED
        else:
            self._ended = Ending.MALFORMED
            local = _name(error.description) if isinstance(error, TLSLocalAlert) else type(error).__name__
            self.error = f"the client's side gave up: {local}"


def _name(number: int) -> str:
    names = {alert.value: alert.name.lower() for alert in ssl.AlertDescription}
    return names.get(number, f"alert_{number}").removeprefix("alert_description_")


class _Watched:
    """A private key that remembers having signed: that is how a CertificateRequest shows."""

    def __init__(self, key: Any) -> None:
        self._key, self.used = key, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)

    def __len__(self) -> int:
        return len(self._key)

    def sign(self, *arguments: Any, **options: Any) -> Any:
        self.used = True
        return self._key.sign(*arguments, **options)

    def verify(self, *_: Any, **__: Any) -> bool:
        """tlslite checks what it signed against the certificate's key; ours is meant not to fit."""
        return True


class _Socket:
    """A wire in the shape of a socket."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self._left = wire, b""
        self.until = math.inf

    def send(self, data: bytes) -> int:
        self._wire.write(bytes(data))
        return len(data)

    def sendall(self, data: bytes) -> None:
        self._wire.write(bytes(data))

    def recv(self, size: int) -> bytes:
        try:
            data = self._left or self._wire.read(self.until)
        except TimeoutError:
            raise BlockingIOError(errno.EAGAIN, "nothing yet") from None
        except OSError as error:
            raise type(error)(errno.EIO, str(error)) from error  # tlslite looks for a number
        self._left = data[size:]
        return data[:size]

    def close(self) -> None:
        """The wire's owner closes it."""
