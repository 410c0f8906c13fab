"""Makers that several rooms' tests share: resources, boundaries, cases, facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from hypothesis import settings

from zerotrust.contract import Ask, Cadence, Ending, Fact, HttpSeen, Outcome, Request, Tls, TlsSeen
from zerotrust.core.evidence import Evidence, Span
from zerotrust.core.judge import Judge, Judgement
from zerotrust.core.plan import Program
from zerotrust.core.test import Test as ParsedTest
from zerotrust.core.test import parse
from zerotrust.layers.base import Approach, Boundary, Case, Expectation, Layer, Ref, Trial
from zerotrust.layers.dialects import Answer

quick = settings(deadline=None, max_examples=60)
"""For properties: no deadline, since a busy machine is no failure."""
GATEWAY = Path(__file__).parents[1] / "systems" / "gateway" / "test.yaml"
WEB = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 8443}], selector: {app: web}}\n"
"""Manifests enough for a zone that serves."""


def resource(**spec: Any) -> dict[str, Any]:
    """A small valid ZeroTrustTest as the API server gives it; keywords replace parts of its spec."""
    whole: dict[str, Any] = {
        "sandbox": {"trustDomain": "shop.test", "zones": [{"name": "shop", "manifests": [{"inline": WEB}]}]},
        "identities": [{"name": name, "zone": "shop", "podLabels": {"app": name}} for name in ("web", "ann", "bob")],
        "boundaries": [door()],
        **spec,
    }
    meta = {"name": "shop", "namespace": "team", "uid": "0f0e", "generation": 1}
    return {"apiVersion": "zerotrust.dev/v1alpha1", "kind": "ZeroTrustTest", "metadata": meta, "spec": whole}


def door(**changes: Any) -> dict[str, Any]:
    """A valid boundary with every layer, as an author writes it; None takes a part off."""
    whole: dict[str, Any] = {
        "name": "web",
        "service": {"name": "web", "zone": "shop", "port": 8443},
        "server": "web",
        "network": {"allow": ["ann", "bob"]},
        "mtls": {"allow": ["ann", "bob"]},
        "jwt": {"audience": "web"},
        "http": {
            "routes": [
                {"methods": ["GET"], "path": "/things", "allow": ["ann", "bob"]},
                {"methods": ["POST"], "path": "/things", "allow": ["ann"]},
            ]
        },
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def parsed(**spec: Any) -> ParsedTest:
    """The small test, parsed."""
    return parse(resource(**spec))


def gateway() -> dict[str, Any]:
    """The quickstart's test, as the API server would give it."""
    loaded: dict[str, Any] = yaml.safe_load(GATEWAY.read_text(encoding="utf-8"))
    loaded["metadata"] |= {"namespace": "team-shop", "uid": "1234", "generation": 1}
    return loaded


def boundary(identities: Iterable[str] = ("web", "ann", "bob"), **specs: Any) -> Boundary:
    """A boundary from its layers' specs, as an author writes them; unchecked, as layers see it."""
    models = {name: Layer.registry[name].spec.model_validate(spec) for name, spec in specs.items()}
    return Boundary("web", "shop", "web", 8443, "web", tuple(identities), models, "web", frozenset({8443}))


# asks and facts

CONNECT = Ask("attempt", "198.18.0.1", 8443, Cadence.ROUND)
TLS = replace(CONNECT, tls=Tls("web"))
HTTP = replace(CONNECT, request=Request("GET", "/", "web"))
BOTH = replace(HTTP, tls=Tls("web"))
LASTS = 0.1
"""How long an attempt takes here, in seconds."""

_OPEN = Fact("attempt", 0, 0.0, LASTS, Outcome.OPEN)
_GREETED = TlsSeen(finished=True, asked=True)


def network(outcome: Outcome) -> Fact:
    """An attempt that ended with the connection."""
    return replace(_OPEN, outcome=outcome)


def welcomed() -> Fact:
    """A TLS conversation in which the server went on."""
    return replace(_OPEN, tls=replace(_GREETED, accepted="ticket"))


def silent() -> Fact:
    """A finished handshake after which the server said nothing at all."""
    return replace(_OPEN, tls=_GREETED)


def alert(name: str, *, asked: bool = True, finished: bool = True) -> Fact:
    """A fatal alert; in TLS 1.3 one about the certificate comes after the client's side has finished."""
    return replace(_OPEN, tls=TlsSeen(finished=finished, asked=asked, alert=name, ended=Ending.CLOSED))


def broken(ending: Ending) -> Fact:
    """A handshake that ended before it finished, without an alert."""
    return replace(_OPEN, tls=TlsSeen(finished=False, asked=True, ended=ending))


def status(code: int, *, tls: bool = True, body: str = "") -> Fact:
    """An answer to a request, over TLS or plaintext."""
    return replace(_OPEN, tls=_GREETED if tls else None, http=HttpSeen(code, body=body))


def unanswered(ending: Ending, *, tls: bool = True) -> Fact:
    """A request that got no whole answer."""
    return replace(_OPEN, tls=_GREETED if tls else None, http=HttpSeen(ended=ending))


def getting_in(ask: Ask) -> Fact:
    """What an ask shows when it got in."""
    if ask.request:
        return status(200, tls=ask.tls is not None)
    return welcomed() if ask.tls else network(Outcome.OPEN)


def at(moment: float, fact: Fact, ask: str = "attempt", number: int = 0) -> Fact:
    """The same, seen at a moment."""
    length = fact.ended - fact.started
    return replace(fact, ask=ask, attempt=number, started=moment, ended=moment + length)


# a scene for the judge

_PLACE, _DOOR = "ann", Approach("ann", 8443)
_ATTEMPT = replace(_DOOR, certificate=Ref("ann", "expired-certificate"))
DEFINITION = next(iter(Layer.registry["mtls"].cases.values()))


def case(expects: Expectation, trials: tuple[Trial, ...], id_: str = "web/mtls/thing/ann", skipped: str = "") -> Case:
    """A case of boundary ``web``."""
    return Case(id_, "web", id_.rsplit("/", 1)[-1], DEFINITION, expects, trials, skipped)


@dataclass
class Scene:
    """One case with one trial, its control, and everything that was seen."""

    expects: Expectation
    ask: Ask = BOTH
    attempts: list[tuple[float, Fact]] = field(default_factory=list)
    controls: list[tuple[float, Fact | bool]] = field(default_factory=list)
    """When the control was tried and what it showed; True for getting in, False for HTTP 503 or silence."""
    stand_in: list[Span] | None = None
    """Spans of readiness in place of a control."""
    begun: float | None = None
    wired: bool = True
    alive: bool = True
    shown: Mapping[str, bytes] = field(default_factory=dict)
    wrong: frozenset[str] = frozenset()
    answers: tuple[Answer, ...] = ()

    def case(self) -> Case:
        """The case that is judged."""
        made = case(self.expects, (Trial("", _ATTEMPT, None if self.stand_in is not None else _DOOR),))
        return replace(made, answers=self.answers)

    def judge(self) -> Judge:
        """The judge with this scene's evidence."""
        control = replace(self.ask, id="control", cadence=Cadence.CONTROL)
        of = {("web", _ATTEMPT): [("attempt", "")], ("web", _DOOR): [("control", "")]}
        asks = {"attempt": self.ask, "control": control}
        evidence = Evidence("run", asks, {_PLACE: ("attempt", "control")})
        evidence.facts["attempt"] = [at(t, fact, "attempt", n) for n, (t, fact) in enumerate(self.attempts)]
        evidence.facts["control"] = [
            at(t, self._control(fact), "control", n) for n, (t, fact) in enumerate(self.controls)
        ]
        evidence.alive["web"], evidence.wired = self.alive, {_PLACE} if self.wired else set()
        evidence.ready["web"], evidence.begun = self.stand_in or [], self.begun
        evidence.shown.update(self.shown)
        return Judge(Program(asks, {_PLACE: list(asks)}, of), evidence, lambda *_: self.wrong)

    def judged(self, waited: float = float("inf")) -> Judgement:
        """The judgement after so many seconds with all probes at work; without a number, when the time is up."""
        return self.judge().judge(self.case(), waited)

    def _control(self, fact: Fact | bool) -> Fact:
        if isinstance(fact, Fact):
            return fact
        return getting_in(self.ask) if fact else network(Outcome.TIMED_OUT)
