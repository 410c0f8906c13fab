"""Which mutants cover which kinds of case; and that the mutants in the repository fit their systems."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.harness.system import SYSTEMS
from tests.mutants.change import read
from tests.mutants.coverage import Kind, claims, covering, kinds_by_id, never_derived
from tests.mutants.model import Expected, Mutant, load
from tests.mutants.runner import trials
from zerotrust.layers.base import Coverage

MUTANTS = Path(__file__).parents[2] / "mutants"
A, B, C = (Kind("jwt", name, Expected.BREACH) for name in "abc")


def test_few_mutants_are_chosen_and_what_nobody_claims_is_named() -> None:
    claimed = {"ab": frozenset({A, B}), "b": frozenset({B}), "a": frozenset({A})}
    assert covering([A, B], claimed) == (["ab"], [])
    assert covering([A, B, C], claimed) == (["ab"], [C])
    assert covering([A], {}) == ([], [A])


def test_a_choice_that_later_ones_make_superfluous_is_dropped() -> None:
    d, e, f = (Kind("jwt", name, Expected.BREACH) for name in "def")
    claimed = {"big": frozenset({A, B, C, d}), "left": frozenset({A, B, e}), "right": frozenset({C, d, f})}
    assert covering([A, B, C, d, e, f], claimed) == (["left", "right"], [])


UNCALLED = {f"mtls/{name}" for name in ("authority-as-leaf", "two-identities", "two-identities-reversed", "weak-key")}
"""Checks that no server here is declared to make: Envoy leaves them to nobody."""


def test_a_route_is_a_lockout_for_some_and_a_breach_for_others() -> None:
    kinds = set(kinds_by_id(read(SYSTEMS / "gateway")).values())
    assert {kind.verdict for kind in kinds if kind.case == "route"} == {Expected.LOCKOUT, Expected.BREACH}
    assert "jwt/no-token" not in never_derived(kinds)
    assert "jwt/no-token" in never_derived(kind for kind in kinds if kind.case != "no-token")


def test_every_registered_case_is_derived_from_some_system() -> None:
    """A kind that no real system calls for was never seen green."""
    systems = sorted(path.parent for path in SYSTEMS.glob("*/test.yaml"))
    kinds = {kind for system in systems for kind in kinds_by_id(read(system), Coverage.EXHAUSTIVE).values()}

    assert set(never_derived(kinds)) <= UNCALLED


@pytest.mark.parametrize("mutant", load(MUTANTS), ids=lambda mutant: mutant.id)
def test_each_mutant_fits_its_system_and_its_patterns_name_cases(mutant: Mutant) -> None:
    (trial,) = trials([mutant], SYSTEMS, healthy=False)
    for text in trial.texts.values():
        for document in yaml.safe_load_all(text):
            for inner in (document.get("data") or {}).values() if document["kind"] == "ConfigMap" else ():
                yaml.safe_load(inner)
    if {Expected.BREACH, Expected.LOCKOUT} & set(mutant.expect.verdict):
        for pattern in mutant.expect.cases:
            alone = mutant.expect.model_copy(update={"cases": (pattern,), "also": ()})
            kinds = claims(mutant.model_copy(update={"expect": alone}), SYSTEMS, Coverage.EXHAUSTIVE)
            assert kinds, f"{pattern} names no case"
