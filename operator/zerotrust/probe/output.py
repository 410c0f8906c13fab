"""Numbered lines on standard output."""

from __future__ import annotations

import dataclasses
import os
import threading
from binascii import b2a_base64
from collections.abc import Mapping

from zerotrust.contract import MAX_LINE_BYTES, Fact, Hello, Line, Shown, dump

MAX_CERTIFICATE_BYTES = 8192
"""A larger certificate is only named by its hash: in base64 it might not fit a line."""
MAX_SHOWN = 256
"""Distinct certificates printed in a probe's life; a server could make up a new one for every connection."""


class Writer:
    """Prints lines whose numbers have no gaps, from any thread, each with a single write."""

    def __init__(self, run: str, descriptor: int = 1) -> None:
        self._run = run
        self._descriptor = descriptor
        self._number = 0
        self._shown: set[str] = set()
        self._lock = threading.Lock()

    def hello(self, hello: Hello) -> None:
        """The first line."""
        with self._lock:
            self._print(Line(self._run, self._number, hello=hello))

    def fact(self, fact: Fact, certificates: Mapping[str, bytes] | None = None) -> None:
        """A fact, after the certificates (DER by SHA-256) it names which were not printed before."""
        with self._lock:
            for digest, certificate in (certificates or {}).items():
                self._show(digest, certificate)
            self._print(Line(self._run, self._number, fact=fact))

    def silence(self, patience: float) -> None:
        """Print nothing more, ever; a line under way has so many seconds to end."""
        self._lock.acquire(timeout=patience)

    def _show(self, digest: str, certificate: bytes) -> None:
        if digest in self._shown or len(self._shown) >= MAX_SHOWN or len(certificate) > MAX_CERTIFICATE_BYTES:
            return
        self._shown.add(digest)
        encoded = b2a_base64(certificate, newline=False).decode()
        self._print(Line(self._run, self._number, shown=Shown(digest, encoded)))

    def _print(self, line: Line) -> None:
        rest = memoryview(_fitted(line))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os._exit(1)  # nobody reads any more, so there is nothing left to do
        self._number += 1


def _fitted(line: Line) -> bytes:
    """The line's bytes; from an answer too long for a line the last headers are left out, and then its body.

    The bounds of the contract count characters, of which each may take six bytes when escaped.
    """
    while len(text := dump(line)) >= MAX_LINE_BYTES and line.fact is not None and line.fact.http is not None:
        http = line.fact.http
        if http.headers:
            http = dataclasses.replace(http, headers=http.headers[: len(http.headers) // 2])
        elif http.body:
            http = dataclasses.replace(http, body="")
        else:
            break
        line = dataclasses.replace(line, fact=dataclasses.replace(line.fact, http=http))
    return text.encode() + b"\n"
