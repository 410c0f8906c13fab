"""The ports a probe opens: its own, which shows that the pod's network is alive, and those of its doors."""

from __future__ import annotations

import socket
import threading
import time

BACKLOG = 64
_RETRY = 0.05


def listen(port: int) -> socket.socket:
    """A listening socket for IPv4 and, where the node has it, IPv6. Errors: OSError."""
    try:
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    except OSError:
        return socket.create_server(("", port), backlog=BACKLOG)


def open_own(port: int) -> None:
    """Accept and close for the rest of the probe's life; all that a startup probe wants. Errors: OSError."""
    listener = listen(port)
    threading.Thread(target=_greet, args=(listener,), daemon=True).start()


def accept(listener: socket.socket) -> socket.socket:
    """The next connection, however many fail before (a peer that is gone, no descriptor free)."""
    while True:
        try:
            return listener.accept()[0]
        except OSError:
            time.sleep(_RETRY)


def _greet(listener: socket.socket) -> None:
    while True:
        accept(listener).close()
