"""What every layer is made of: approaches to a door, the cases a layer derives from declared trust, the ladder.

An *approach* is one complete way to a boundary: from whose place, with whose certificate, token and request. The
*good* approach of a trusted identity is dressed by all layers of the boundary; a negative differs from it in one
attribute. Names only: no keys, no addresses, no clock. Those come in when a run turns approaches into asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from zerotrust.contract import Fact
from zerotrust.layers.dialects import Answer, Refusals, spoken
from zerotrust.layers.names import Spec

OUTSIDER = "outsider"
"""Name of the identity nobody declared: a valid certificate and token of this run, in a namespace of its own."""


class Via(StrEnum):
    """Which address of a boundary is approached."""

    SERVICE = "service"
    POD = "pod"


class Coverage(StrEnum):
    """How much is tried. Each level holds the ones before it."""

    ESSENTIAL = "Essential"  # what every boundary must hold: seconds
    STANDARD = "Standard"  # every known way around it that is cheap to try
    EXHAUSTIVE = "Exhaustive"  # the rest: many attempts, slow ones, rare defects

    def holds(self, other: Coverage) -> bool:
        """Whether cases of another level belong to this one."""
        levels = list(Coverage)
        return levels.index(other) <= levels.index(self)


@dataclass(frozen=True, slots=True)
class Ref:
    """A credential by name: an identity's good one, or the named forgery of it."""

    identity: str
    forgery: str = ""

    @property
    def name(self) -> str:
        """Name of the credential, also its file name in the probe."""
        return f"{self.identity}.{self.forgery}" if self.forgery else self.identity


@dataclass(frozen=True, slots=True)
class Hello:
    """How a TLS client introduces itself, where that differs from the usual.

    ``sni``: None is the boundary's own name, empty none at all. ``newest`` and ``ciphers`` as in ``contract.Tls``;
    ``key``: whose key signs in place of the certificate's own.
    """

    sni: str | None = None
    newest: str = ""
    ciphers: str = ""
    key: Ref | None = None

    def __str__(self) -> str:
        said = {
            "name": "none" if self.sni == "" else self.sni,
            "newest version": self.newest,
            "ciphers": self.ciphers,
            "key of": self.key.name if self.key else "",
        }
        return ", ".join(f"{what} {value}" for what, value in said.items() if value) or "usual"


@dataclass(frozen=True, slots=True)
class Call:
    """A request to make; ``anonymous`` when the declared route asks for no token."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    success: tuple[int, ...] = tuple(range(200, 300))
    anonymous: bool = False

    @property
    def safe(self) -> bool:
        """Whether repeating it changes nothing (RFC 9110 section 9.2.1)."""
        return self.method in ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Approach:
    """One way to a door. Every attribute is one that some layer decides about."""

    place: str
    port: int
    via: Via = Via.SERVICE
    tls: bool = False
    certificate: Ref | None = None
    token: Ref | None = None
    call: Call | None = None
    hello: Hello = Hello()

    def difference(self, other: Approach) -> str:
        """The attributes in which two approaches differ, for the reader of a report."""
        names = [name for name in self.__slots__ if getattr(self, name) != getattr(other, name)]
        return ", ".join(f"{name}: {_show(getattr(self, name))}" for name in names)


def _show(value: object) -> str:
    match value:
        case Ref():
            return value.name
        case Call():
            return f"{value.method} {value.target}"
        case None:
            return "none"
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt of a case and the control that must get in before and after it.

    ``control`` None: nobody may pass this door, so its own readiness, answered to the kubelet, stands in.
    """

    label: str
    approach: Approach
    control: Approach | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A trusted identity must get in."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An untrusted attempt must be refused for one of these reasons (see ``alerts``, ``statuses``, ``outcomes``).

    ``passed``: readings that show it got through this layer although nothing answered it.
    """

    reasons: frozenset[str]
    passed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Presents:
    """The server must prove to be this identity."""

    identity: str


Expectation = Admitted | Refused | Presents


@dataclass(frozen=True, slots=True)
class Draft:
    """What a case function yields: for which identity, what must happen, and how it is tried."""

    identity: str
    expects: Expectation
    trials: tuple[Trial, ...]
    name: str = ""
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind of case: its id comes from its place and name, its summary from its docstring.

    ``vacuous``: what would make a refusal prove nothing, and how the case keeps it out.
    """

    layer: str
    name: str
    summary: str
    motive: str
    remedy: str
    vacuous: str
    references: tuple[str, ...]
    coverage: Coverage
    derive: Callable[[Boundary], Iterable[Draft]]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that must be true of one boundary for one identity. The id is API: waivers and history use it."""

    id: str
    boundary: str
    identity: str
    definition: Definition
    expects: Expectation
    trials: tuple[Trial, ...]
    skipped: str = ""
    answers: tuple[Answer, ...] = ()
    """What counts as a refusal at this door besides the standard reasons."""

    def says_no(self, fact: Fact) -> bool:
        """Whether a fact shows one of these answers."""
        return any(answer.says(fact) for answer in self.answers)


def alerts(*names: str) -> frozenset[str]:
    """Refusals by TLS alert, after the server asked for a certificate (RFC 8446 section 6)."""
    return frozenset(f"tls:{name}" for name in names)


def statuses(*codes: int) -> frozenset[str]:
    """Refusals by HTTP status."""
    return frozenset(f"http:{code}" for code in codes)


def outcomes(*names: str) -> frozenset[str]:
    """Refusals by the network (``contract.Outcome``)."""
    return frozenset(f"network:{name}" for name in names)


S = TypeVar("S", bound=Spec)
CaseFunction = Callable[["Boundary"], Iterable[Draft]]


class Layer(Generic[S]):
    """A place where trust is checked. Subclasses say whom a spec admits and how an approach is dressed for it.

    ``order``: outside in. Creating a layer registers it; its cases register themselves with ``@layer.case``.
    """

    registry: ClassVar[dict[str, Layer[Any]]] = {}

    def __init__(self, name: str, spec: type[S], *, order: int) -> None:
        if name in self.registry:
            raise ValueError(f"two layers are called {name}")
        self.name, self.spec, self.order = name, spec, order
        self.cases: dict[str, Definition] = {}
        self.registry[name] = self

    def admits(self, boundary: Boundary, identity: str) -> bool:
        """Whether this layer's declared trust covers the identity."""
        raise NotImplementedError

    def lets(self, boundary: Boundary, identity: str, call: Call) -> bool:
        """Whether an approach dressed for the identity passes this layer with this very call."""
        return self.admits(boundary, identity)

    def dress(self, boundary: Boundary, identity: str, approach: Approach) -> Approach:
        """The approach with what this layer asks of the identity."""
        raise NotImplementedError

    def check(self, boundary: Boundary) -> Iterator[str]:
        """What is wrong with the declaration beyond its schema: one sentence each, saying what to change."""
        yield from ()

    def of(self, boundary: Boundary) -> S | None:
        """The layer's part of a boundary's declaration."""
        found = boundary.specs.get(self.name)
        return found if isinstance(found, self.spec) else None

    def case(
        self,
        *,
        motive: str,
        remedy: str,
        references: tuple[str, ...],
        vacuous: str = "",
        coverage: Coverage = Coverage.STANDARD,
        name: str = "",
    ) -> Callable[[CaseFunction], CaseFunction]:
        """Register a case: the function yields a draft for each identity it concerns."""

        def register(function: CaseFunction) -> CaseFunction:
            summary = (function.__doc__ or "").strip().partition("\n")[0]
            own = name or function.__name__.strip("_").replace("_", "-")
            if own in self.cases or not summary:
                raise ValueError(f"case {self.name}/{own} is defined twice or has no docstring")
            self.cases[own] = Definition(
                self.name, own, summary, motive, remedy, vacuous, references, coverage, function
            )
            return function

        return register

    def derive(self, boundary: Boundary, coverage: Coverage) -> Iterator[Case]:
        """Every case that the boundary's declaration of this layer calls for, up to a coverage."""
        for definition in self.cases.values():
            if not coverage.holds(definition.coverage):
                continue
            for draft in definition.derive(boundary):
                name = draft.name or definition.name
                id_ = f"{boundary.name}/{self.name}/{name}/{draft.identity}"
                answers = boundary.answers(self, draft.identity)
                yield Case(
                    id_, boundary.name, draft.identity, definition, draft.expects, draft.trials, draft.skipped, answers
                )


@dataclass(frozen=True)
class Boundary:
    """A door with its declared trust: what layers derive cases from.

    ``identities``: the declared ones, in order. ``host``: name for SNI and Host. ``served``: every port which
    some boundary declares for the same service.
    """

    name: str
    zone: str
    service: str
    port: int
    host: str
    identities: tuple[str, ...]
    specs: Mapping[str, Spec]
    server: str | None = None
    served: frozenset[int] = field(default_factory=frozenset)
    refusals: Refusals = field(default_factory=Refusals)

    @property
    def layers(self) -> list[Layer[Any]]:
        """The boundary's layers, from the outside in."""
        return sorted((Layer.registry[name] for name in self.specs), key=lambda layer: layer.order)

    def admits(self, identity: str, *, beyond: str = "") -> bool:
        """Whether every layer (or every layer outside of ``beyond``) admits the identity."""
        for layer in self.layers:
            if layer.name == beyond:
                break
            if not layer.admits(self, identity):
                return False
        return True

    def answers(self, layer: Layer[Any], identity: str) -> tuple[Answer, ...]:
        """What counts as a refusal: the layer's own answers, and those of outer layers that keep the identity out."""
        saying = [o for o in self.layers if o is layer or (o.order < layer.order and not o.admits(self, identity))]
        return tuple(answer for o in saying for answer in (*spoken(o.name), *self.refusals.of(o.name)))

    def lets(self, identity: str, call: Call) -> bool:
        """Whether the identity's good approach with this call passes every layer."""
        return all(layer.lets(self, identity, call) for layer in self.layers)

    def good(self, identity: str, call: Call | None = None) -> Approach | None:
        """The identity's full approach (with ``call``, if given), or None where nobody has a place to try from."""
        approach = Approach(place=identity, port=self.port, call=call)
        for layer in reversed(self.layers):
            approach = layer.dress(self, identity, approach)
        return approach if approach.place else None

    def cases(self, coverage: Coverage = Coverage.EXHAUSTIVE) -> Iterator[Case]:
        """The cases of the boundary, layer by layer from the outside in."""
        for layer in self.layers:
            yield from layer.derive(self, coverage)


def refuse(identity: str, control: Approach | None, reasons: frozenset[str], **changes: Any) -> Draft:
    """A draft with one trial: the control with one attribute changed must be refused."""
    if control is None:
        return Draft(identity, Refused(reasons), ())
    return Draft(identity, Refused(reasons), (Trial("", replace(control, **changes), control),))
