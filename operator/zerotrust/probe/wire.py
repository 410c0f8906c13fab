"""A connected socket under one deadline and one budget of bytes, whatever the other side does."""

from __future__ import annotations

import math
import select
import socket
from typing import Protocol

from zerotrust.contract import Ending
from zerotrust.probe.clock import now

CHUNK = 16_384
ANSWER_BYTES = 65_536
"""All that is taken in of an answer."""


class Flood(Exception):
    """The other side sent more than it may."""


class Garbled(Exception):
    """The other side sent bytes that make no sense in the protocol spoken."""


def ending(error: Exception) -> Ending:
    """How a conversation ended, from what reading raised."""
    match error:
        case TimeoutError():
            return Ending.TIMED_OUT
        case Flood():
            return Ending.TOO_LARGE
        case Garbled():
            return Ending.MALFORMED
        case ConnectionAbortedError():
            return Ending.CLOSED
        case ConnectionError():
            return Ending.RESET
        case _:
            return Ending.FAILED


class Channel(Protocol):
    """What a request travels over: a socket, or TLS above one."""

    def write(self, data: bytes) -> None:
        """Have bytes sent while reading."""

    def read(self) -> bytes:
        """The next bytes, ``b""`` at the end of the stream. Errors: those that ``ending`` names."""


class Wire:
    """The socket itself, sending while it reads, so that an answer to a request half read is heard.

    When sending fails, reading goes on: a server that refused and closed has said so before.
    """

    def __init__(self, sock: socket.socket, deadline: float, budget: int = ANSWER_BYTES) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._deadline = deadline
        self._budget = budget
        self._unsent = bytearray()
        self._lost = False

    def allow(self, budget: int) -> None:
        """Take in so many bytes from now on."""
        self._budget = budget

    def write(self, data: bytes) -> None:
        """Have bytes sent while reading."""
        self._unsent += data

    def read(self, until: float = math.inf) -> bytes:
        """The next bytes, ``b""`` at the end of the stream, waiting for them until a time (Unix seconds).

        Errors: TimeoutError at that time or the deadline, ConnectionResetError, Flood beyond the budget.
        """
        if now() >= self._deadline:
            raise TimeoutError
        while True:
            self._send()
            try:
                data = self._sock.recv(CHUNK)
            except BlockingIOError:
                self._wait(min(until, self._deadline))
                continue
            if self._lost and not data:
                raise ConnectionResetError
            self._budget -= len(data)
            if self._budget < 0:
                raise Flood
            return data

    def _send(self) -> None:
        if not self._unsent:
            return
        try:
            sent = self._sock.send(self._unsent)
            del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._lost = True
            self._unsent.clear()

    def _wait(self, until: float) -> None:
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        if not poll.poll(max(0, math.ceil((until - now()) * 1000))):
            raise TimeoutError
