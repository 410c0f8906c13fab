"""Doors that let everybody in: what a canary offers, so that every run shows whether it can see a hole."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import warnings

from zerotrust.contract import Serve
from zerotrust.probe.clock import now
from zerotrust.probe.ports import accept, listen

PATIENCE = 6.0
"""Seconds for the whole of a conversation."""
MAX_HEAD_BYTES = 65_536
THREADS = 8
"""Conversations at a time at each door."""
_CLIENT_HELLO = b"\x16"  # the first byte of a TLS record with a handshake message, RFC 8446 section 5.1
_BODY = b'{"door":"open"}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
    len(_BODY),
    _BODY,
)


def open_doors(serve: Serve, directory: str) -> None:
    """Serve everybody for the rest of the probe's life. Errors: OSError (port or credential unusable)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/{serve.credential}.pem")
    context.set_ciphers("ALL:eNULL:aNULL@SECLEVEL=0")  # also to whoever should not even be spoken with
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    listeners = [listen(port) for port in serve.ports]
    for listener in listeners:
        for _ in range(THREADS):
            threading.Thread(target=_serve, args=(listener, context), daemon=True).start()


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        with contextlib.suppress(OSError), accept(listener) as sock:
            deadline = now() + PATIENCE
            sock.settimeout(PATIENCE)
            if sock.recv(1, socket.MSG_PEEK) == _CLIENT_HELLO:
                with context.wrap_socket(sock, server_side=True) as secure:
                    _answer(secure, deadline)
            else:
                _answer(sock, deadline)


def _answer(sock: socket.socket, deadline: float) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = _receive(sock, deadline)
        head += data
        if not data or len(head) > MAX_HEAD_BYTES:
            return
    sock.sendall(_ANSWER)
    # Closing before the rest of a request was read would make a reset of it, which may overtake the answer.
    sock.shutdown(socket.SHUT_WR)
    rest = MAX_HEAD_BYTES
    while rest > 0 and (data := _receive(sock, deadline)):
        rest -= len(data)


def _receive(sock: socket.socket, deadline: float) -> bytes:
    sock.settimeout(max(deadline - now(), 0.001))
    return sock.recv(4096)
