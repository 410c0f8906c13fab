"""From a test to its cases, and from cases to what each probe is asked to try."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from zerotrust.contract import CONNECT_TIMEOUT, KNOCK_TIMEOUT, Ask, Cadence, Request, Tls
from zerotrust.core.test import CANARY, OUTSIDE, Test
from zerotrust.layers.base import OUTSIDER, Approach, Boundary, Call, Case, Coverage, Hello, Ref, Refused, Trial, Via
from zerotrust.layers.http import HttpSpec, Route
from zerotrust.layers.jwt import JwtSpec
from zerotrust.layers.mtls import Check, MtlsSpec, mtls
from zerotrust.layers.network import NetworkSpec

CANARY_PORT = 18444
"""The canary's open door; the next port is the twin: it listens too, and a policy of our own closes it."""
TWIN_PORT = CANARY_PORT + 1
TWIN_CASE = f"{CANARY}/network/neighbour-port/{CANARY}"
REQUEST_TIMEOUT = 4.0
ALERT_PATIENCE = 0.3
CANARY_AUDIENCE = "canary"


def cases(test: Test) -> list[Case]:
    """Every case the declaration calls for, boundary by boundary, layer by layer. Ids are unique."""
    return [case for boundary in test.boundaries for case in boundary.cases(test.spec.run.coverage)]


def canary() -> Boundary:
    """A door with a known hole in every layer, declared as if it were trusted: its negatives must be found.

    One twin beside it, closed by policy, must be found closed. Both prove the tool itself in every run.
    """
    route = Route(methods=("POST",), path="/canary", allow=(CANARY,))
    harmless = Route(methods=("GET",), path="/canary", allow=(CANARY,))
    specs = {
        "network": NetworkSpec(allow=(CANARY,)),
        "mtls": MtlsSpec(allow=(CANARY,), checks=tuple(Check)),
        "jwt": JwtSpec(audience=CANARY_AUDIENCE, allow=(CANARY,)),
        "http": HttpSpec(routes=(harmless, route)),
    }
    return Boundary(
        name=CANARY,
        zone=OUTSIDE,
        service=CANARY,
        port=CANARY_PORT,
        host=CANARY,
        identities=(CANARY,),
        specs=specs,
        server=CANARY,
        served=frozenset({CANARY_PORT}),
    )


def canary_cases(coverage: Coverage = Coverage.EXHAUSTIVE) -> list[Case]:
    """The canary's cases, each with its first trial only, all tried from the stranger's place."""
    tried = (case for case in canary().cases(coverage) if case.trials and not case.skipped)
    return [replace(case, trials=(_from(case.trials[0], OUTSIDER),)) for case in tried]


def _from(trial: Trial, place: str) -> Trial:
    control = replace(trial.control, place=place) if trial.control else None
    return replace(trial, approach=replace(trial.approach, place=place), control=control)


@dataclass(frozen=True, slots=True)
class Door:
    """Where a boundary is found once the sandbox stands: the Service's address and one of its pods'."""

    service: str
    pod: str
    port: int | None = None
    """The pod's own port behind the Service's, where it is another."""


@dataclass(frozen=True, slots=True)
class TokenRef:
    """A token by name: whose, for which audience, which forgery."""

    ref: Ref
    audience: str


@dataclass(frozen=True)
class Wallet:
    """Credentials made for a run: tokens by reference, several where a forgery has variants (label, token)."""

    tokens: Mapping[TokenRef, tuple[tuple[str, str], ...]]


@dataclass
class Program:
    """What all probes of a run are asked, and which asks belong to which approach."""

    asks: dict[str, Ask] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    of: dict[tuple[str, Approach], list[tuple[str, str]]] = field(default_factory=dict)
    """(boundary, approach) → (ask id, label) of each variant."""

    def at(self, place: str) -> tuple[Ask, ...]:
        """The asks of one probe."""
        return tuple(self.asks[id_] for id_ in self.places.get(place, ()))


def certificates(found: Iterable[Case]) -> set[Ref]:
    """Certificates that the cases' approaches and controls need."""
    shown = {ref for case in found for a in _approaches(case) for ref in (a.certificate, a.hello.key)}
    return {ref for ref in shown if ref}


def tokens(found: Iterable[Case], boundaries: Mapping[str, Boundary]) -> set[TokenRef]:
    """Tokens that the cases' approaches and controls need."""
    wanted = set()
    for case in found:
        for approach in _approaches(case):
            if approach.token:
                wanted.add(TokenRef(approach.token, audience(boundaries[case.boundary])))
    return wanted


def audience(boundary: Boundary) -> str:
    """The audience that tokens for a boundary are made out to; its name where no jwt layer is declared."""
    spec = boundary.specs.get("jwt")
    return spec.audience if isinstance(spec, JwtSpec) else boundary.name


def places(found: Iterable[Case]) -> list[str]:
    """Whose places in the network the cases are tried from."""
    return sorted({approach.place for case in found for approach in _approaches(case)})


def _approaches(case: Case) -> list[Approach]:
    both = [(trial.approach, trial.control) for trial in case.trials]
    return [approach for pair in both for approach in pair if approach is not None]


def program(
    found: Iterable[Case], boundaries: Mapping[str, Boundary], doors: Mapping[str, Door], wallet: Wallet
) -> Program:
    """Turn approaches into asks, each only once: an approach that serves as a control is asked as one."""
    built = Program()
    found = list(found)
    controls = {(case.boundary, trial.control) for case in found for trial in case.trials if _controls(case, trial)}
    for case in found:
        boundary, door = boundaries[case.boundary], doors[case.boundary]
        for approach in _approaches(case):
            key = (case.boundary, approach)
            if key in built.of:
                continue
            cadence = _cadence(case, approach, control=key in controls)
            built.of[key] = []
            for label, token in _variants(approach, boundary, wallet, case):
                ask = _ask(f"a{len(built.asks)}", cadence, approach, boundary, door, token)
                built.asks[ask.id] = ask
                built.places.setdefault(approach.place, []).append(ask.id)
                built.of[key].append((ask.id, label))
    return built


def _controls(case: Case, trial: Trial) -> bool:
    """Whether a trial's control must be repeated: a positive of a write is its own evidence, tried once."""
    call = trial.approach.call
    return trial.control is not None and (isinstance(case.expects, Refused) or call is None or call.safe)


def _cadence(case: Case, approach: Approach, *, control: bool) -> Cadence:
    if control:
        return Cadence.CONTROL
    return Cadence.ROUND if isinstance(case.expects, Refused) else Cadence.ONCE


def _variants(approach: Approach, boundary: Boundary, wallet: Wallet, case: Case) -> tuple[tuple[str, str], ...]:
    if approach.token is None:
        return (("", ""),)
    variants = wallet.tokens[TokenRef(approach.token, audience(boundary))]
    return variants[:1] if case.boundary == CANARY else variants


def _ask(id_: str, cadence: Cadence, approach: Approach, boundary: Boundary, door: Door, token: str) -> Ask:
    return Ask(
        id=id_,
        address=door.pod if approach.via is Via.POD else door.service,
        port=_port(approach, boundary, door),
        cadence=cadence,
        timeout=_timeout(approach, cadence),
        tls=_tls(approach, boundary) if approach.tls else None,
        request=_request(approach.call, boundary.host, token) if approach.call else None,
    )


def _tls(approach: Approach, boundary: Boundary) -> Tls:
    hello = approach.hello
    return Tls(
        sni=boundary.host if hello.sni is None else hello.sni,
        credential=approach.certificate.name if approach.certificate else None,
        patience=0.0 if _is_welcome(approach, boundary) else ALERT_PATIENCE,
        newest=hello.newest,
        ciphers=hello.ciphers,
        key=hello.key.name if hello.key else "",
    )


def _timeout(approach: Approach, cadence: Cadence) -> float:
    if approach.tls or approach.call:
        return REQUEST_TIMEOUT
    return KNOCK_TIMEOUT if cadence is Cadence.ROUND else CONNECT_TIMEOUT


def _port(approach: Approach, boundary: Boundary, door: Door) -> int:
    """A Service may translate its port: at the pod, the neighbour of the pod's own port is meant."""
    if approach.via is Via.SERVICE or door.port is None:
        return approach.port
    moved = approach.port + door.port - boundary.port
    return moved if 0 < moved < 65536 else 2 * door.port - moved


def _is_welcome(approach: Approach, boundary: Boundary) -> bool:
    """Whether the TLS layer is declared to accept the certificate, so that no alert need be waited for."""
    ref = approach.certificate
    usual = approach.hello == Hello() and approach.call is not None
    return usual and ref is not None and not ref.forgery and mtls.admits(boundary, ref.identity)


def _request(call: Call, host: str, token: str) -> Request:
    bearer = (("Authorization", f"Bearer {token}"),) if token else ()
    return Request(call.method, call.target, host, (*bearer, *call.headers), call.body, call.success)
