"""Servers on loopback, with one thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

Handle = Callable[[socket.socket], None]
PATIENCE = 5.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.contextmanager
def serving(handle: Handle) -> Iterator[int]:
    """The port of a server that treats every connection with ``handle`` and then closes it."""
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def treat(sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), sock:
            handle(sock)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(PATIENCE)
                connections.append(sock)
                threads.append(threading.Thread(target=treat, args=(sock,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(PATIENCE)
            for sock in connections:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(PATIENCE)


def over_tls(context: ssl.SSLContext, handle: Handle) -> Handle:
    """The same conversation above TLS; a handshake that fails ends it."""

    def treat(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as secure:
            handle(secure)

    return treat


def read_head(sock: socket.socket) -> bytes:
    """A request's head, and whatever of its body came with it."""
    head = b""
    while b"\r\n\r\n" not in head and (data := sock.recv(4096)):
        head += data
    return head


def answering(answer: bytes = OK) -> Handle:
    """Reads a request's head, says ``answer`` and closes."""

    def treat(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer)

    return treat


def endless(start: bytes, repeated: bytes) -> Handle:
    """Says ``start``, and then the rest for ever."""

    def treat(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(start)
        while True:
            sock.sendall(repeated)

    return treat


def silent(sock: socket.socket) -> None:
    """Listens until the other side goes away."""
    while sock.recv(4096):
        pass


def resetting(sock: socket.socket) -> None:
    """Resets the connection after the first bytes."""
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
