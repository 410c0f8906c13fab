"""One attempt at an ask: connect, then TLS, then a request, and the fact that comes of it."""

from __future__ import annotations

import itertools

from zerotrust.contract import CONNECT_TIMEOUT, Ask, Fact, HttpSeen, Outcome, Plan, Tls, TlsSeen
from zerotrust.probe import tcp
from zerotrust.probe.clock import now
from zerotrust.probe.output import Writer
from zerotrust.probe.wire import Wire

TYPE_CHECKING = False  # as typing's, which costs a probe milliseconds to import
if TYPE_CHECKING:
    from zerotrust.probe.tls import Secure
    from zerotrust.probe.tls_borrowed import Borrowed

MAX_ERROR = 200


class Attempts:
    """Tries asks, from any thread, and prints what came of it."""

    def __init__(self, plan: Plan, directory: str, writer: Writer) -> None:
        self._writer = writer
        self._counts = {ask.id: itertools.count() for ask in plan.asks}
        # Loaded only where needed: together they cost as much as the rest of the start-up.
        if any(ask.tls for ask in plan.asks):
            from zerotrust.probe import tls  # noqa: PLC0415 - see above

            self._secure = tls.Secure
            self._credentials = tls.Credentials(directory)
        if any(ask.request for ask in plan.asks):
            from zerotrust.probe import http  # noqa: PLC0415 - see above

            self._exchange = http.exchange

    def attempt(self, ask: Ask) -> Fact:
        """Try an ask once and print the fact. Never raises: what is our own fault is a fact as well."""
        seen = _Seen()
        started = now()
        try:
            self._try(ask, started + ask.timeout, seen)
        except Exception as error:  # noqa: BLE001 - one ask must not cost the others their facts
            seen.outcome = Outcome.FAILED
            seen.error = f"{type(error).__name__}: {error}"
        number = next(self._counts[ask.id])
        times = round(started, 6), round(now(), 6)
        fact = Fact(ask.id, number, *times, seen.outcome, seen.tls, seen.http, seen.error[:MAX_ERROR])
        self._writer.fact(fact, seen.certificates)
        return fact

    def _try(self, ask: Ask, deadline: float, seen: _Seen) -> None:
        seen.outcome, sock, seen.error = tcp.connect(ask.address, ask.port, min(deadline, now() + CONNECT_TIMEOUT))
        if sock is None:
            return
        with sock:
            wire = Wire(sock, deadline)
            if ask.tls is not None:
                self._try_tls(ask, wire, seen)
            elif ask.request is not None:
                seen.http = self._exchange(wire, ask.request)

    def _try_tls(self, ask: Ask, wire: Wire, seen: _Seen) -> None:
        assert ask.tls is not None
        secure = self._client(wire, ask.tls)
        try:
            if secure.open(speaks=ask.request is not None) and ask.request is not None:
                seen.http = self._exchange(secure, ask.request, secure.early)
        finally:
            seen.tls, seen.certificates, seen.error = secure.seen(), secure.certificates(), secure.error

    def _client(self, wire: Wire, offer: Tls) -> Secure | Borrowed:
        if not offer.key:
            return self._secure(wire, offer, self._credentials.context(offer))
        from zerotrust.probe.tls_borrowed import Borrowed  # noqa: PLC0415 - slow to load, and seldom needed

        return Borrowed(wire, offer, self._credentials.directory)


class _Seen:
    """What an attempt has shown so far."""

    def __init__(self) -> None:
        self.outcome = Outcome.FAILED
        self.tls: TlsSeen | None = None
        self.http: HttpSeen | None = None
        self.certificates: dict[str, bytes] = {}
        self.error = ""
