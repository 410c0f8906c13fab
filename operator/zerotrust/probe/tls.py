"""TLS as a client that verifies nothing, presents what it is told, and notes what the server did.

In TLS 1.3 the client is done before the server has judged its certificate (RFC 8446 section 4.4.2.4): the
refusal comes at the first read, and is lost if something was written before. So after the handshake this
client listens first; a session ticket or data shows that the server went on.
"""

from __future__ import annotations

import hashlib
import math
import ssl
import warnings
from collections.abc import Callable
from typing import TypeVar

from zerotrust.contract import Ending, Tls, TlsSeen
from zerotrust.probe.clock import now
from zerotrust.probe.wire import ANSWER_BYTES, CHUNK, Flood, Garbled, Wire, ending

HANDSHAKE_BYTES = 163_840
"""More than the largest certificate chain OpenSSL takes (100 KiB) and the rest of a handshake."""
MAX_CERTIFICATES = 8
NOT_PRESENTED = "the certificate asked for was not presented: no signature algorithm in common"
_HANDSHAKE, _ALERT = 22, 21  # content types, RFC 8446 section 5.1
# Handshake messages, RFC 8446 section 4; encrypted extensions are of TLS 1.3 only.
_NEW_SESSION_TICKET, _ENCRYPTED_EXTENSIONS, _CERTIFICATE, _CERTIFICATE_REQUEST = 4, 8, 11, 13
_FATAL, _HARMLESS = 2, (0, 90)  # close_notify and user_canceled, RFC 8446 section 6.1
_EMPTY_CERTIFICATE = 8
"""Bytes of a Certificate message that holds none, at most (RFC 8446 section 4.4.2, RFC 5246 7.4.2)."""
_DER = 2  # _ssl.ENCODING_DER
_T = TypeVar("_T")


class Conversation(ssl.SSLObject):
    """OpenSSL's side of one connection, and what its messages showed."""

    asked = False
    presented = False
    ticket = False
    modern = False
    """TLS 1.3 was agreed on."""
    alert = ""

    def note(self, direction: str, content: int, kind: int, data: bytes) -> None:
        """Take note of a message; ``kind`` is its type, or the number of an alert."""
        if content == _HANDSHAKE and direction == "read":
            self.asked |= kind == _CERTIFICATE_REQUEST
            self.ticket |= kind == _NEW_SESSION_TICKET
            self.modern |= kind == _ENCRYPTED_EXTENSIONS
        elif content == _HANDSHAKE and kind == _CERTIFICATE:
            self.presented = len(data) > _EMPTY_CERTIFICATE
        elif content == _ALERT and direction == "read":
            level, number = data
            # TLS 1.3 no longer minds the level an alert claims (RFC 8446 section 6).
            if number not in _HARMLESS and (level == _FATAL or self.modern):
                self.alert = getattr(kind, "name", f"alert_{number}").lower()


def _note(connection: object, direction: str, _version: int, content: int, kind: int, data: bytes) -> None:
    if isinstance(connection, Conversation):
        connection.note(direction, content, kind, data)


class Credentials:
    """A TLS context for each credential in a directory and each way to offer it, made when it is first used."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._contexts: dict[tuple[str | None, str, str], ssl.SSLContext] = {}

    def context(self, offer: Tls) -> ssl.SSLContext:
        """A context that presents a credential. Errors: OSError, ssl.SSLError when OpenSSL cannot load it."""
        key = offer.credential, offer.newest, offer.ciphers
        found = self._contexts.get(key)
        return found or self._contexts.setdefault(key, self._make(*key))

    def _make(self, name: str | None, newest: str, ciphers: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # what the server shows is reported, and judged elsewhere
        # Level 0 presents weak keys and speaks with weak servers: to refuse the first is the server's task.
        context.set_ciphers(f"{ciphers or 'DEFAULT'}@SECLEVEL=0")
        self._bound(context, newest)
        context.sslobject_class = Conversation
        # The one way to see a CertificateRequest from Python; one function for all keeps nothing alive.
        setattr(context, "_msg_callback", _note)  # noqa: B010 - unknown to the type stubs
        if name is not None:
            context.load_cert_chain(f"{self.directory}/{name}.pem")
        return context

    @staticmethod
    def _bound(context: ssl.SSLContext, newest: str) -> None:
        """The versions offered. Whoever offers old ones offers nothing that a current server would rather take."""
        if not newest:
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # which is why they are tried
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion[newest.replace(".", "_")]


class Secure:
    """TLS above a wire."""

    def __init__(self, wire: Wire, offer: Tls, context: ssl.SSLContext) -> None:
        wire.allow(HANDSHAKE_BYTES)
        self._wire = wire
        self._presents, self._patience = offer.credential is not None, offer.patience
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # As bytes, because text would go through a codec that is slow to load and refuses odd names.
        sni = offer.sni.encode("ascii") or None
        conversation = context.wrap_bio(self._incoming, self._outgoing, server_hostname=sni)
        assert isinstance(conversation, Conversation)  # by the context's sslobject_class
        self._conversation = conversation
        self._finished = False
        self._version = ""
        self._data = False
        self._ended = Ending.NONE
        self._error = ""
        self.early = b""
        """What the server said before it was spoken to."""

    def open(self, speaks: bool) -> bool:
        """Shake hands and listen; whether a request may follow. ``speaks``: one is going to.

        Only a server that asked for a certificate has something to refuse, so only then is it worth a wait;
        in TLS 1.2 its Finished comes after its judgement. Without a request to make, waiting loses nothing.
        """
        try:
            self._pump(self._conversation.do_handshake)
            self._finished = True
            self._version = self._conversation.version() or ""  # unknown again after an alert
            self._wire.allow(ANSWER_BYTES)
            self._wire.write(self._outgoing.read())
            if self._conversation.modern:
                wait = (self._patience if self._conversation.asked else 0) if speaks else math.inf
                self._listen(now() + wait)
        except (OSError, Flood) as error:
            self._end(error)
        return self._finished and self._ended is Ending.NONE and not self._conversation.alert

    def _listen(self, until: float) -> None:
        while True:
            try:
                self.early = self._conversation.read(CHUNK)
            except ssl.SSLWantReadError:
                if self._conversation.ticket:
                    return
            else:
                break
            try:
                self._exchange(until)
            except TimeoutError:
                return
        if not self.early:
            raise ConnectionAbortedError
        self._data = True

    def write(self, data: bytes) -> None:
        """Have bytes sent while reading."""
        self._conversation.write(data)

    def read(self) -> bytes:
        """The next bytes, ``b""`` at the end of the stream.

        Errors: TimeoutError, ConnectionAbortedError after an alert, ConnectionResetError, Flood, Garbled.
        """
        try:
            data: bytes = self._pump(lambda: self._conversation.read(CHUNK))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:
            if self._conversation.alert:
                raise ConnectionAbortedError(self._conversation.alert) from error
            raise Garbled(error.reason) from error
        self._data |= bool(data)
        return data

    def seen(self) -> TlsSeen:
        """What this connection showed so far."""
        return TlsSeen(
            finished=self._finished,
            asked=self._conversation.asked,
            version=self._version,
            accepted=self._accepted(),
            alert=self._conversation.alert,
            ended=self._ended,
            certificates=tuple(self.certificates()),
            withheld=self._withheld,
        )

    @property
    def error(self) -> str:
        """Why this connection proves less than it should, if so."""
        return NOT_PRESENTED if self._withheld else self._error

    @property
    def _withheld(self) -> bool:
        """Whether OpenSSL kept the certificate to itself although it was asked for."""
        return self._presents and self._conversation.asked and not self._conversation.presented

    def certificates(self) -> dict[str, bytes]:
        """The certificates (DER by SHA-256) the server showed, leaf first, also in a failed handshake."""
        # Public only from Python 3.13 on.
        chain = self._conversation._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
        shown = [certificate.public_bytes(_DER) for certificate in (chain or [])[:MAX_CERTIFICATES]]
        return {hashlib.sha256(der).hexdigest(): der for der in shown}

    def _accepted(self) -> str:
        if not self._finished:
            return ""
        if not self._conversation.modern:
            return "finished"
        if self._conversation.ticket:
            return "ticket"
        return "data" if self._data else ""

    def _end(self, error: OSError | Flood) -> None:
        if self._conversation.alert:
            return  # which says it all
        if isinstance(error, (ssl.SSLZeroReturnError, ssl.SSLEOFError)):
            self._ended = Ending.CLOSED
        elif isinstance(error, ssl.SSLError):
            self._ended = Ending.MALFORMED
            self._error = error.reason or str(error)
        else:
            self._ended = ending(error)

    def _pump(self, step: Callable[[], _T]) -> _T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._exchange()

    def _exchange(self, until: float = math.inf) -> None:
        self._wire.write(self._outgoing.read())
        data = self._wire.read(until)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
