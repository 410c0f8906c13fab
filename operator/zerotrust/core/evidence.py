"""Everything that was seen in a run, arranged for the judge; lines of probes are checked where they come in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from zerotrust.contract import MAX_LINE_BYTES, VERSION, Ask, Fact, Line, got_in

_LINE = TypeAdapter(Line)
MAX_FACTS_PER_ASK = 200
MAX_CERTIFICATES = 64


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in Unix seconds, in which the kubelet held a target's readiness probe for answered."""

    start: float
    end: float


class InvalidReport(ValueError):
    """A line that no probe of this run prints."""


@dataclass
class Evidence:
    """Facts by ask, in the order of their attempts; certificates by hash; what the kubelet said of targets."""

    run: str
    asks: Mapping[str, Ask]
    places: Mapping[str, tuple[str, ...]]
    facts: dict[str, list[Fact]] = field(default_factory=dict)
    shown: dict[str, bytes] = field(default_factory=dict)
    ready: dict[str, list[Span]] = field(default_factory=dict)
    """By boundary: when a pod behind it was Ready, its readiness probe being on the boundary's port."""
    alive: dict[str, bool] = field(default_factory=dict)
    """By boundary: whether a pod behind it is Ready now."""
    wired: set[str] = field(default_factory=set)
    """Places whose probe the kubelet could reach: their network works, so silence means something."""
    greeted: set[str] = field(default_factory=set)
    begun: float | None = None
    """Unix time since when all probes are at work and all workloads ready."""
    count: int = 0
    """Lines taken so far."""
    _next: dict[str, int] = field(default_factory=dict)

    def take(self, place: str, text: str) -> bool:
        """Take one line of a place's probe; False if it was taken before (a log read again).

        Errors: InvalidReport for anything that the probe of this place, in this run, would not print next.
        """
        line = self._parse(text)
        due = self._next.get(place, 0)
        if line.number < due:
            return False
        if line.number > due:
            raise InvalidReport(f"line {line.number} where {due} was due: part of the output is missing")
        self._next[place] = due + 1
        self.count += 1
        if line.hello:
            self._greet(place, line)
        elif line.fact:
            self._add(place, line.fact)
        elif line.shown:
            self._show(line.shown.sha256, line.shown.der)
        else:
            raise InvalidReport("a line that says nothing")
        return True

    def _parse(self, text: str) -> Line:
        if len(text) > MAX_LINE_BYTES:
            raise InvalidReport(f"a line of {len(text)} bytes")
        try:
            line = _LINE.validate_json(text)
        except ValidationError as error:
            raise InvalidReport(f"not a line of a probe: {error.errors()[0]['msg']}") from None
        if (line.run, line.version) != (self.run, VERSION):
            raise InvalidReport(f"a line of run {line.run[:40]!r}, version {line.version}")
        return line

    def _greet(self, place: str, line: Line) -> None:
        assert line.hello
        if line.hello.place != place or line.hello.asks != len(self.places[place]):
            raise InvalidReport(f"greeting of {line.hello.place[:40]!r} with {line.hello.asks} asks")
        self.greeted.add(place)

    def _add(self, place: str, fact: Fact) -> None:
        if fact.ask not in self.places[place]:
            raise InvalidReport(f"a fact for ask {fact.ask[:40]!r}, which this probe was not given")
        if not (math.isfinite(fact.started) and math.isfinite(fact.ended)):
            raise InvalidReport("a fact at no time")
        facts = self.facts.setdefault(fact.ask, [])
        if len(facts) >= MAX_FACTS_PER_ASK:
            self._thin(self.asks[fact.ask], facts)
        facts.append(fact)

    def _thin(self, ask: Ask, facts: list[Fact]) -> None:
        """Drop a fact that says what both its neighbours say, so that no hole and no failed control is forgotten."""
        said = [got_in(ask, fact) for fact in facts]
        middle = len(facts) // 2
        order = [*range(middle, len(facts) - 1), *range(middle - 1, 0, -1)]
        dull = next((n for n in order if said[n - 1] == said[n] == said[n + 1]), None)
        del facts[0 if dull is None else dull]

    def _show(self, sha256: str, der: str) -> None:
        try:
            raw = base64.b64decode(der, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidReport("a certificate that is not base64") from None
        if hashlib.sha256(raw).hexdigest() != sha256:
            raise InvalidReport("a certificate that does not match its hash")
        if len(self.shown) < MAX_CERTIFICATES:
            self.shown[sha256] = raw
