"""When each ask is tried: controls before and after every round, so that every refusal has its sandwich."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

from zerotrust.contract import Ask, Cadence, Fact, Plan, got_in
from zerotrust.probe.clock import now

GATE_PATIENCE = 5.0
"""Seconds after the first control was answered for which all are waited for: one may never get in."""
SILENCE_PATIENCE = 10.0
"""Seconds after which a round is tried although nobody answers: that, too, has to be told."""
GATE_SLOWER = 1.05
"""Waiting for a control grows so much rarer with each try, so that a long wait does not fill the log."""
SLOWER, SLOWEST = 1.5, 10.0
"""Each pause is so much longer than the last, up to so many seconds: what is new, is new early."""
MAX_WORKERS = 64
KNOCKS_AT_ONCE, KNOCK_SLOWER = 4, 1.02
"""Attempts of a bare connection that may overlap, and how much rarer each beat is than the one before."""
_STACK_BYTES = 524_288

Attempt = Callable[[Ask], Fact]


class Crew:
    """A bounded number of threads that try asks; ``told``: somebody wants to hear what came of each."""

    def __init__(self, workers: int, attempt: Attempt, *, told: bool = True) -> None:
        self._attempt, self._told = attempt, told
        self._todo: SimpleQueue[Ask] = SimpleQueue()
        self._done: SimpleQueue[tuple[Ask, Fact]] = SimpleQueue()
        threading.stack_size(_STACK_BYTES)
        for _ in range(min(workers, MAX_WORKERS)):
            threading.Thread(target=self._work, daemon=True).start()

    def start(self, ask: Ask) -> None:
        """Have an ask tried once, as soon as a thread is free."""
        self._todo.put(ask)

    def next(self, until: float) -> tuple[Ask, Fact] | None:
        """The next ask that was tried, or None if none is by then (Unix seconds)."""
        try:
            return self._done.get(timeout=max(until - now(), 0))
        except Empty:
            return None

    def all(self, asks: Iterable[Ask]) -> list[tuple[Ask, Fact]]:
        """Try asks at the same time and wait for every one of them."""
        asks = list(asks)
        for ask in asks:
            self._todo.put(ask)
        return [self._done.get() for _ in asks]

    def _work(self) -> None:
        while True:
            ask = self._todo.get()
            fact = self._attempt(ask)
            if self._told:
                self._done.put((ask, fact))


class Rounds:
    """A plan's asks in their order in time."""

    def __init__(self, plan: Plan, attempt: Attempt) -> None:
        self._plan = plan
        self._controls = [ask for ask in plan.asks if ask.cadence is Cadence.CONTROL]
        others = [ask for ask in plan.asks if ask.cadence is not Cadence.CONTROL]
        self._knocks = [ask for ask in others if ask.cadence is Cadence.ROUND and not ask.tls and not ask.request]
        self._others = [ask for ask in others if ask not in self._knocks]
        self._crew = Crew(min(plan.workers, len(plan.asks)), attempt)
        self._knockers = Crew(min(len(self._knocks) * KNOCKS_AT_ONCE, plan.workers * 2), attempt, told=False)
        self._took: dict[str, float] = {}
        self._settled: set[str] = set()

    def run(self) -> None:
        """Go round for ever; whoever started this ends it."""
        if self._knocks:
            threading.Thread(target=self._knock, daemon=True).start()
        self._gate()
        pause, welcome = self._plan.pause, False
        while True:
            was, welcome = welcome, self._round()
            if welcome and not was:
                pause = self._plan.pause  # the door has just come up: look again soon
            self._pause(pause)
            pause = min(pause * SLOWER, max(SLOWEST, self._plan.pause))

    def _knock(self) -> None:
        """Try bare connections on a beat of their own: a dropped one costs its whole timeout, so they overlap."""
        beat = self._plan.beat
        while True:
            for ask in self._knocks:
                self._knockers.start(ask)
            time.sleep(beat)
            beat = min(beat * KNOCK_SLOWER, max(SLOWEST, self._plan.interval))

    def _gate(self) -> None:
        """Wait until every control got in once, or long enough after somebody there answered the first."""
        waits = dict.fromkeys(self._controls, self._plan.interval / 5)
        missing = {ask.id for ask in self._controls}
        due = dict.fromkeys(self._controls, 0.0)
        until, under_way = now() + SILENCE_PATIENCE, 0
        while (missing and now() < until) or under_way:
            for ask in [ask for ask, at in due.items() if at <= now() < until]:
                del due[ask]
                under_way += 1
                self._crew.start(ask)
            wake = now() + 1.0
            tried = self._crew.next(min([wake, *due.values()]) if now() < until else wake)
            if tried is None:
                continue
            ask, fact = tried
            under_way -= 1
            if got_in(ask, fact) or _answered(fact):
                until = min(until, now() + GATE_PATIENCE)
            if got_in(ask, fact):
                missing.discard(ask.id)
            else:
                due[ask] = now() + waits[ask]
                waits[ask] = min(waits[ask] * GATE_SLOWER, self._plan.interval)

    def _round(self) -> bool:
        """One round; whether any control got in before it. Behind a dead door everything is tried just once."""
        tried = self._crew.all(self._controls)
        welcome = not tried or any(got_in(ask, fact) for ask, fact in tried)
        due = [ask for ask in self._others if ask.id not in self._settled]
        asks = [ask for ask in due if welcome or ask.cadence is Cadence.ONCE or ask.id not in self._took]
        if not asks:
            return welcome
        for ask, fact in self._crew.all(sorted(asks, key=self._expected, reverse=True)):
            self._took[ask.id] = fact.ended - fact.started
            if ask.cadence is Cadence.ONCE and got_in(ask, fact):
                self._settled.add(ask.id)
        self._crew.all(self._controls)
        return welcome

    def _expected(self, ask: Ask) -> float:
        """Seconds an ask may take: what took long must start first."""
        return self._took.get(ask.id, 0.0)

    def _pause(self, seconds: float) -> None:
        until = now() + seconds
        while (rest := until - now()) > 0:
            time.sleep(min(rest, self._plan.interval if self._controls else rest))
            if now() < until:
                self._crew.all(self._controls)


def _answered(fact: Fact) -> bool:
    """Whether something that speaks the protocol is there, whatever it said."""
    return bool(fact.http and fact.http.status) or bool(fact.tls and (fact.tls.finished or fact.tls.alert))
