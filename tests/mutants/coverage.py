"""Which kinds of case a mutant claims to turn red, and the fewest mutants that claim them all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from tests.mutants.change import Texts, mutate, read
from tests.mutants.model import ACCUSATIONS, Expected, Mutant
from zerotrust.core.plan import cases
from zerotrust.core.test import parse
from zerotrust.layers.base import Admitted, Case, Coverage, Layer


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of case and how it turns red: ``http/route`` is a Lockout for the trusted, a Breach for the others."""

    layer: str
    case: str
    verdict: Expected

    def __str__(self) -> str:
        return f"{self.layer}/{self.case} {self.verdict}"


def kinds_by_id(texts: Texts, coverage: Coverage | None = None) -> dict[str, Kind]:
    """The kind of every case that a system's test derives, by case id; with another coverage than the test's own."""
    resource = yaml.safe_load(texts["test.yaml"])
    if coverage is not None:
        resource["spec"].setdefault("run", {})["coverage"] = coverage
    resource["metadata"] = {"namespace": "default", "uid": "", **resource["metadata"]}
    return {case.id: _kind(case) for case in cases(parse(resource)) if not case.skipped}


def _kind(case: Case) -> Kind:
    verdict = Expected.LOCKOUT if isinstance(case.expects, Admitted) else Expected.BREACH
    return Kind(case.definition.layer, case.definition.name, verdict)


def never_derived(kinds: Iterable[Kind]) -> list[str]:
    """Registered cases, ``<layer>/<case>``, that none of the kinds belongs to."""
    derived = {(kind.layer, kind.case) for kind in kinds}
    registered = {(layer.name, name) for layer in Layer.registry.values() for name in layer.cases}
    return sorted("/".join(item) for item in registered - derived)


def claims(mutant: Mutant, systems: Path, coverage: Coverage | None = None) -> frozenset[Kind]:
    """The kinds that a mutant expects to turn red; with another coverage than the test's own."""
    kinds = kinds_by_id(mutate(read(systems / mutant.system), mutant.change), coverage)
    wanted = ACCUSATIONS.intersection(mutant.expect.verdict)
    named = {
        kind
        for id_, kind in kinds.items()
        if kind.verdict in wanted and any(fnmatchcase(id_, pattern) for pattern in mutant.expect.cases)
    }
    also = {
        kind
        for id_, kind in kinds.items()
        for other in mutant.expect.also
        if kind.verdict == other.verdict and any(fnmatchcase(id_, pattern) for pattern in other.cases)
    }
    return frozenset(named | also)


def covering(wanted: Iterable[Kind], claimed: Mapping[str, frozenset[Kind]]) -> tuple[list[str], list[Kind]]:
    """Few mutants that together claim every wanted kind, and the kinds that nobody claims. Greedy: near the fewest."""
    left, picked = set(wanted), []
    while left:
        best = max(sorted(claimed), key=lambda id_: len(claimed[id_] & left), default=None)
        if best is None or not claimed[best] & left:
            break
        picked.append(best)
        left -= claimed[best]
    return _needed(picked, claimed), sorted(left)


def _needed(picked: Sequence[str], claimed: Mapping[str, frozenset[Kind]]) -> list[str]:
    """Without those that later choices made superfluous."""
    needed = list(picked)
    for id_ in picked:
        others = frozenset[Kind]().union(*(claimed[other] for other in needed if other != id_))
        everything = frozenset[Kind]().union(*(claimed[other] for other in needed))
        if others == everything:
            needed.remove(id_)
    return needed
