"""An API server that fails, and an operator that dies, at every single request of a run."""

from __future__ import annotations

import asyncio

import pytest

from tests.operator.engine.api import Call, forbidden, unavailable
from tests.operator.engine.simulation import simulated, until
from tests.operator.engine.world import World, declared

CALLS = 48
"""Requests of a run, the last ones being its clean-up; rounded up to whole groups of tests."""


async def settled(world: World) -> None:
    """A verdict, nothing running, nothing left; the sweep may be needed for the last of it."""
    await until(world.decided, what=f"a verdict: {world.status()}")
    await until(world.is_quiet, what="quiet")
    await until(lambda: not world.has_leftovers(), 130, what="no sandboxes")


@simulated
async def test_the_number_of_requests_of_a_run_is_what_the_tests_here_assume() -> None:
    world = World()
    world.start()
    world.apply(declared())
    await settled(world)

    assert CALLS - 8 < len([call for call in world.api.calls if call.verb != "list"]) <= CALLS


@pytest.mark.parametrize("outage", [1, 5])
@pytest.mark.parametrize("first", range(0, CALLS, 8))
def test_no_request_is_so_dear_that_its_failure_costs_the_verdict(first: int, outage: int) -> None:
    for number in range(first, first + 8):
        _fails_at(number, outage)


@simulated
async def _fails_at(number: int, outage: int) -> None:
    world = World()
    world.api.fault = lambda call: unavailable() if number <= call.number < number + outage else None
    world.start()
    world.apply(declared())
    await settled(world)

    assert world.status()["verdict"] == "Pass", (number, world.status())


@pytest.mark.parametrize("first", range(0, CALLS, 8))
def test_an_operator_that_dies_at_any_request_is_followed_by_one_that_decides(first: int) -> None:
    for number in range(first, first + 8):
        _dies_at(number)


@simulated
async def _dies_at(number: int) -> None:
    world = World()
    world.start()
    world.apply(declared())
    await until(lambda: len(world.api.calls) > number or world.is_quiet())
    await world.kill()
    await asyncio.sleep(1.0)
    world.start()
    await settled(world)

    assert world.status()["verdict"] == "Pass", (number, world.status())
    assert world.status()["run"]["attempt"] <= 2


@simulated
async def test_an_operator_that_dies_each_time_gives_up_and_says_so() -> None:
    world = World()
    world.pace = 5.0
    world.start()
    world.apply(declared())
    for _ in range(3):
        await until(lambda: world.status().get("phase") == "Probing" and world.engine.running)
        await world.restart()
        await until(lambda: world.engine.running or world.decided())
    await settled(world)

    assert world.status()["verdict"] == "Error"
    assert world.status()["conditions"][0]["reason"] == "RunLost"


@simulated
async def test_rights_that_arrive_late_cost_nothing_but_time() -> None:
    world = World()
    refused: dict[str, int] = {}

    def early(call: Call) -> Exception | None:
        if not call.namespace.startswith("zt-") or call.kind == "RoleBinding":
            return None
        refused[call.namespace] = refused.get(call.namespace, 0) + 1
        return forbidden() if refused[call.namespace] <= 6 else None

    world.api.fault = early
    world.start()
    world.apply(declared())
    await settled(world)

    assert world.status()["verdict"] == "Pass"


@simulated
async def test_a_verdict_survives_an_outage_longer_than_any_patience() -> None:
    world = World()
    world.pace = 5.0
    away = False
    world.api.fault = lambda call: unavailable() if away and call.kind == "ZeroTrustTest" else None
    world.start()
    world.apply(declared())
    await until(lambda: world.status().get("phase") == "Probing")
    away = True
    await asyncio.sleep(180)
    away = False
    await until(world.decided, 180, what="the verdict, once the server is back")

    assert world.status()["verdict"] == "Pass"


@simulated
async def test_a_slow_answer_to_an_older_status_never_buries_the_verdict() -> None:
    world = World()

    async def hold() -> None:
        await asyncio.sleep(5)

    world.api.gate = lambda call: (
        hold() if call.verb == "apply" and call.item.get("status", {}).get("phase") == "Probing" else None
    )
    world.start()
    world.apply(declared())
    await asyncio.sleep(60)

    assert world.decided(), world.status()["phase"]
