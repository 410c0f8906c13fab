"""Every kind of case is shown red on the real broken system: what cannot turn red proves nothing when it is green."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.system import SYSTEMS
from tests.mutants.change import read
from tests.mutants.coverage import claims, covering, kinds_by_id
from tests.mutants.model import chosen, load
from tests.mutants.runner import Runner, trials
from tests.mutants.table import line

SYSTEM = "gateway"
MUTANTS = Path(__file__).parents[1] / "mutants"

pytestmark = pytest.mark.e2e


@pytest.mark.usefixtures("operator")
def test_every_kind_of_case_turns_red_where_it_should() -> None:
    mutants = [mutant for mutant in load(MUTANTS) if mutant.system == SYSTEM]
    kinds = kinds_by_id(read(SYSTEMS / SYSTEM))
    few, nobodys = covering(kinds.values(), {mutant.id: claims(mutant, SYSTEMS) for mutant in mutants})
    assert not nobodys, f"kinds of case that no mutant turns red: {', '.join(map(str, nobodys))}"

    reports = Runner().run(trials(chosen(mutants, few), SYSTEMS, healthy=False))

    alive = [line(report) for report in reports if not report.good]
    assert not alive, "\n".join(alive)
    turned = [case for report in reports for case in report.finding.red]
    shown = {kind for case in turned if (kind := kinds.get(case.id)) and kind.verdict == case.verdict}
    never = sorted(set(kinds.values()) - shown)
    assert not never, f"killed all of {', '.join(few)}, but never red: {', '.join(map(str, never))}"
