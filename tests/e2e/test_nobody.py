"""Doors that nobody may pass: the target's own readiness, answered to the kubelet, stands in for the control."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import SystemFactory
from tests.harness.kubectl import Object
from tests.harness.system import System, condition, summary

READINESS = """          readinessProbe:
            tcpSocket: {port: https}
            periodSeconds: 1
"""
CLOSED = {
    "name": "closed",
    "service": {"name": "orders", "zone": "shop", "port": 8443},
    "network": {"allow": []},
}


def close(test: Object) -> None:
    """One boundary, for nobody; a failure is only advice."""
    test["spec"]["boundaries"] = [CLOSED]
    test["spec"]["run"]["gate"] = "Advisory"


@pytest.fixture(scope="module")
def doors(systems: SystemFactory) -> dict[str, System]:
    """A closed door that the kubelet still sees served, one that it is not asked about, and one left open."""
    closed = systems("gateway").change(close).apply()
    blind = systems("gateway").change(close).edit("orders.yaml", READINESS, "").apply()
    left_open = systems("gateway").change(close)
    left_open.test["spec"]["sandbox"]["zones"][0]["networkPolicies"] = "Provided"
    return {"closed": closed, "blind": blind, "open": left_open.apply()}


def test_a_door_for_nobody_passes_where_the_kubelet_sees_it_served(doors: dict[str, System]) -> None:
    status = doors["closed"].verdict()
    assert status["verdict"] == "Pass", summary(status)
    assert status["summary"]["passed"] == 4, "three identities and the outsider"


def test_a_door_for_nobody_is_inconclusive_where_nothing_shows_that_it_is_served(doors: dict[str, System]) -> None:
    status = doors["blind"].verdict()
    assert status["verdict"] == "Inconclusive", summary(status)
    assert {result["reason"] for result in status["results"]} == {"NoControl"}
    assert "add a readinessProbe on port 8443" in status["results"][0]["message"]


def test_a_door_for_nobody_that_is_open_fails_and_an_advisory_gate_stays_ready(doors: dict[str, System]) -> None:
    status = doors["open"].verdict()
    assert status["verdict"] == "Fail", summary(status)
    assert status["summary"]["breaches"] == 4
    found = {c["type"]: c["status"] for c in status["conditions"]}
    assert found == {"Ready": "True", "Passed": "False", "Complete": "True", "Running": "False"}
    assert condition(status, "Ready")["reason"] == "AdvisoryFailures"
