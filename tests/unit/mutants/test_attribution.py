"""Killed means: found where it is, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mutants.attribution import Score, Seen, attribute
from tests.mutants.model import Expectation

WANTED = "orders/jwt/no-expiry/checkout"
OTHER = "orders/http/route-get-orders/checkout"
PASSED = Seen("orders/network/allowed/checkout", "Pass")
SKIPPED = Seen("orders/http/route-get-b/checkout", "Skipped")
ALSO = [{"cases": ["orders/http/*"], "verdict": "Lockout", "reason": "cannot do otherwise"}]


def expect(verdict: Any = "Breach", cases: tuple[str, ...] = ("orders/jwt/no-expiry/*",), **more: Any) -> Expectation:
    return Expectation.model_validate({"verdict": verdict, "cases": cases, **more})


@pytest.mark.parametrize(
    ("expectation", "verdict", "red", "score"),
    [
        pytest.param(expect(), "Fail", [(WANTED, "Breach")], Score.KILLED, id="found, and nothing else"),
        pytest.param(expect(), "Pass", [], Score.MISSED, id="the test passed"),
        pytest.param(expect(), "Inconclusive", [(WANTED, "Inconclusive")], Score.MISSED, id="with another verdict"),
        pytest.param(expect(), "Fail", [(OTHER, "Breach")], Score.MISATTRIBUTED, id="red only elsewhere"),
        pytest.param(
            expect(), "Fail", [(WANTED, "Breach"), (OTHER, "Breach")], Score.MISATTRIBUTED, id="elsewhere too"
        ),
        pytest.param(
            expect(), "Fail", [(WANTED, "Breach"), (OTHER, "Waived")], Score.MISATTRIBUTED, id="a waiver is no pass"
        ),
        pytest.param(
            expect(cases=("orders/jwt/*",)),
            "Fail",
            [(WANTED, "Breach"), ("orders/jwt/allowed/checkout", "Inconclusive")],
            Score.KILLED,
            id="inconclusive where the defect is",
        ),
        pytest.param(
            expect(cases=("orders/jwt/*",)),
            "Fail",
            [(WANTED, "Breach"), ("orders/jwt/allowed/checkout", "Lockout")],
            Score.MISATTRIBUTED,
            id="another accusation where the defect is",
        ),
        pytest.param(
            expect(also=ALSO), "Fail", [(WANTED, "Breach"), (OTHER, "Lockout")], Score.KILLED, id="named consequence"
        ),
        pytest.param(
            expect(also=ALSO),
            "Fail",
            [(WANTED, "Breach"), (OTHER, "Breach")],
            Score.MISATTRIBUTED,
            id="consequence with another verdict",
        ),
        pytest.param(expect(also=ALSO), "Fail", [(OTHER, "Lockout")], Score.MISSED, id="only the consequence"),
        pytest.param(
            expect(cases=("orders/jwt/no-expiry/*", "orders/jwt/no-token/*")),
            "Fail",
            [(WANTED, "Breach")],
            Score.KILLED,
            id="patterns are alternatives",
        ),
        pytest.param(
            expect(cases=("orders/jwt/no-expiry/*", "orders/jwt/no-token/*"), every=True),
            "Fail",
            [(WANTED, "Breach")],
            Score.MISSED,
            id="unless each is asked for",
        ),
        pytest.param(
            expect(["Inconclusive", "Error"], ("orders/*",)),
            "Inconclusive",
            [(WANTED, "Inconclusive"), (OTHER, "Error")],
            Score.KILLED,
            id="nothing could be shown",
        ),
        pytest.param(
            expect(["Inconclusive", "Error"], ("orders/*",)),
            "Fail",
            [(WANTED, "Inconclusive"), (OTHER, "Breach")],
            Score.MISATTRIBUTED,
            id="and nobody is to be accused",
        ),
        pytest.param(expect("Error"), "Error", [], Score.KILLED, id="an error before any case"),
        pytest.param(expect("Breach"), "Error", [], Score.MISSED, id="an error where a breach was due"),
        pytest.param(expect("Inconclusive"), None, [], Score.MISSED, id="no verdict"),
    ],
)
def test_score(expectation: Expectation, verdict: str | None, red: list[tuple[str, str]], score: Score) -> None:
    seen = [PASSED, *(Seen(id_, word) for id_, word in red), SKIPPED]
    assert attribute(expectation, verdict, seen).score is score


def test_a_finding_names_what_matched_what_should_not_have_turned_and_what_is_missing() -> None:
    expectation = expect(cases=("orders/jwt/no-expiry/*", "orders/mtls/*"))
    finding = attribute(expectation, "Fail", [Seen(WANTED, "Breach"), Seen(OTHER, "Breach"), PASSED])
    assert [case.id for case in finding.hits] == [WANTED]
    assert [case.id for case in finding.strays] == [OTHER]
    assert finding.without == ("orders/mtls/*",)
