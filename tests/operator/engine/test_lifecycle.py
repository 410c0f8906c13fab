"""What authors do to tests while the operator is at work: change, suspend, delete, ask again, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.operator.engine.simulation import now, simulated, until
from tests.operator.engine.world import World, declared
from zerotrust.api.resource import KIND
from zerotrust.runs.ports import Object

PHASES = (None, "Preparing", "Probing", "Complete")


async def at_phase(phase: str | None) -> World:
    """A world with one test, its run just in this phase."""
    world = World()
    world.pace = 2.0
    world.start()
    world.apply(declared())
    await until(lambda: world.status().get("phase") == phase)
    return world


async def settled(world: World, name: str = "shop", namespace: str = "team") -> None:
    await until(lambda: world.decided(name, namespace), what=f"a verdict: {world.status(name, namespace)}")
    await until(world.is_quiet, what="quiet")
    await until(lambda: not world.has_leftovers(), 130, what="no sandboxes")


def runs(world: World) -> set[str]:
    """Every run that ever had a namespace."""
    created = [c.item for c in world.api.calls if (c.verb, c.kind) == ("create", "Namespace")]
    return {item["metadata"]["labels"]["zerotrust.dev/run"] for item in created}


def writes(world: World) -> int:
    return sum(call.verb == "apply" and call.kind == KIND for call in world.api.calls)


@pytest.mark.parametrize("phase", PHASES)
@simulated
async def test_a_changed_spec_is_what_the_verdict_speaks_of(phase: str | None) -> None:
    world = await at_phase(phase)
    world.apply(declared(timeout="4m"))
    await settled(world)

    status = world.status()
    assert (status["verdict"], status["observedGeneration"], status["run"]["generation"]) == ("Pass", 2, 2)


@pytest.mark.parametrize("phase", PHASES)
@simulated
async def test_a_suspended_test_stops_and_an_unsuspended_one_comes_to_its_verdict(phase: str | None) -> None:
    world = await at_phase(phase)
    world.apply(declared(suspend=True))
    await until(lambda: world.is_quiet() and not world.has_leftovers())
    before = len(runs(world))
    await asyncio.sleep(600)

    assert not world.engine.running
    assert len(runs(world)) == before
    assert (world.status()["observedGeneration"], world.status().get("verdict")) == (2, None)
    world.apply(declared())
    await settled(world)
    assert (world.status()["verdict"], world.status()["observedGeneration"]) == ("Pass", 3)


@pytest.mark.parametrize("phase", PHASES)
@simulated
async def test_a_deleted_test_leaves_nothing_in_the_cluster_or_in_memory(phase: str | None) -> None:
    world = await at_phase(phase)
    world.delete()
    await until(lambda: world.is_quiet() and not world.has_leftovers(), 130)

    assert not world.engine.tests
    assert not list(world.api.of(KIND))
    assert not list(world.api.of("ConfigMap", "team"))


@pytest.mark.parametrize("phase", PHASES)
@simulated
async def test_a_test_that_is_asked_again_runs_again_once(phase: str | None) -> None:
    world = await at_phase(phase)
    world.ask_again("one")
    await until(lambda: world.status().get("lastHandledRerunAt") == "one")
    await settled(world)
    await asyncio.sleep(300)

    assert world.status()["verdict"] == "Pass"
    assert len(runs(world)) == (1 if phase is None else 2)


@pytest.mark.parametrize("phase", PHASES)
@simulated
async def test_a_namesake_made_right_after_a_deletion_gets_a_verdict_of_its_own(phase: str | None) -> None:
    world = await at_phase(phase)
    world.delete()
    fresh = world.apply(declared())
    world.open_to_all.add(fresh["metadata"]["uid"])
    await settled(world)

    assert list(world.engine.tests) == [fresh["metadata"]["uid"]]
    assert world.status()["verdict"] == "Fail"
    assert len(world.status()["history"]) == 1


@simulated
async def test_tests_of_the_same_name_in_two_namespaces_do_not_mix() -> None:
    world = World()
    world.start()
    world.apply(declared(namespace="team"))
    hole = world.apply(declared(namespace="other"))
    world.open_to_all.add(hole["metadata"]["uid"])
    await settled(world)
    await settled(world, namespace="other")

    assert (world.status()["verdict"], world.status(namespace="other")["verdict"]) == ("Pass", "Fail")


@simulated
async def test_no_more_tests_run_at_a_time_than_there_are_places() -> None:
    world = World(max_running=3)
    world.pace = 1.0
    names = [f"t{n}" for n in range(30)]
    for name in names:
        world.apply(declared(name))
    world.start()
    most = 0
    while not all(world.decided(name) for name in names):
        at_work = sum(world.status(name).get("phase") in ("Preparing", "Probing") for name in names)
        most = max(most, at_work)
        assert at_work <= 3
        await asyncio.sleep(0.05)

    assert most == 3
    assert {world.status(name)["verdict"] for name in names} == {"Pass"}


@simulated
async def test_a_queued_test_that_is_suspended_is_no_run_under_way() -> None:
    world = World(max_running=1)
    world.pace = 5.0
    world.start()
    world.apply(declared("first"))
    await until(lambda: world.status("first").get("phase") == "Preparing")
    world.apply(declared("second"))
    await until(lambda: world.status("second").get("phase") == "Pending")
    world.apply(declared("second", suspend=True))
    await until(lambda: world.decided("first"))
    await asyncio.sleep(5)

    assert world.engine.running == 0


@simulated
async def test_an_operator_that_restarts_while_a_test_waits_its_turn_has_not_lost_a_run_of_it() -> None:
    world = World(max_running=1)
    world.pace = 60.0
    world.start()
    world.apply(declared("first"))
    await until(lambda: world.status("first").get("phase") == "Preparing")
    world.apply(declared("second"))
    await until(lambda: world.status("second").get("phase") == "Pending")
    for _ in range(4):
        await world.restart()
        await asyncio.sleep(5)
    world.pace = 0.0
    await until(lambda: world.decided("second"))

    assert world.status("second")["verdict"] == "Pass", world.status("second")["conditions"][0]


@simulated
async def test_events_that_come_late_or_often_start_nothing_and_write_nothing() -> None:
    world = World()
    old: list[Object] = []
    world.api.listeners.append(lambda _, item: old.append(item) if item["kind"] == KIND else None)
    world.start()
    world.apply(declared())
    await settled(world)
    written = writes(world)
    for item in [*old, *old[-1:] * 100]:
        world.engine.observe(item)
        await asyncio.sleep(0)
    await asyncio.sleep(120)

    assert writes(world) == written
    assert len(runs(world)) == 1
    assert world.is_quiet()


@simulated
async def test_a_spec_that_cannot_be_used_is_told_once() -> None:
    world = World()
    world.start()
    bad = declared()
    bad["spec"]["boundaries"][0]["network"]["allow"] = ["nobody"]
    item = world.apply(bad)
    await until(world.status)
    for _ in range(50):
        world.engine.observe(item)
        await asyncio.sleep(0.01)
    await asyncio.sleep(120)

    assert writes(world) == 1
    assert not runs(world)
    assert world.status()["conditions"][0]["reason"] == "InvalidSpec"
    world.apply(declared())
    await settled(world)
    assert world.status()["verdict"] == "Pass"


@simulated
async def test_a_schedule_starts_runs_and_suspension_stops_them() -> None:
    world = World()
    world.start()
    world.apply(declared(schedule="*/10 * * * *"))
    await settled(world)
    await asyncio.sleep(3600)
    assert len(runs(world)) == 7
    assert world.counts.finished[1:] == ["Schedule:Pass"] * 6

    world.apply(declared(schedule="*/10 * * * *", suspend=True))
    await asyncio.sleep(3600)
    assert len(runs(world)) == 7


@pytest.mark.parametrize(
    ("keep", "healthy", "kept"), [("Always", True, 2), ("OnFailure", True, 0), ("OnFailure", False, 2)]
)
@simulated
async def test_a_kept_sandbox_stands_until_its_time_is_over(keep: str, healthy: bool, kept: int) -> None:
    world = World()
    world.start()
    uid = world.apply(declared(keepSandbox=keep, keepSandboxFor="30m"))["metadata"]["uid"]
    world.open_to_all |= set() if healthy else {uid}
    await until(world.decided)
    await asyncio.sleep(1500)
    assert len(world.sandboxes()) == kept

    await world.restart()
    await asyncio.sleep(120)
    assert len(world.sandboxes()) == kept
    await asyncio.sleep(600)
    assert not world.sandboxes(active=False)


@simulated
async def test_the_sweep_spares_who_is_at_work_and_removes_what_nobody_knows() -> None:
    world = await at_phase("Preparing")
    labels = {**world.sandboxes()[0]["metadata"]["labels"], "zerotrust.dev/run": "past"}
    until_when = (now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    notes = {"zerotrust.dev/expires-at": until_when}
    for name, uid in (("past-run", labels["zerotrust.dev/test-uid"]), ("past-test", "gone")):
        meta = {"name": name, "labels": {**labels, "zerotrust.dev/test-uid": uid}, "annotations": notes}
        world.api.put({"kind": "Namespace", "metadata": meta, "status": {"phase": "Active"}})
    while not world.decided():
        await world.engine.sweep()

    assert world.status()["verdict"] == "Pass"
    assert world.status()["run"]["attempt"] == 1
    await until(lambda: not world.has_leftovers(), 10)


@simulated
async def test_many_tests_come_and_go_and_nothing_remembers_them() -> None:
    world = World(max_running=8)
    world.start()
    names = [f"t{n}" for n in range(24)]
    for number, name in enumerate(names):
        world.apply(declared(name))
        if number % 2 == 0:
            await asyncio.sleep(0.02)
    for number, name in enumerate(names):
        done: Callable[[], object] = lambda name=name: world.decided(name)  # type: ignore[misc] # noqa: E731
        if number % 10 == 0:
            await until(done)
        world.delete(name)
    await until(lambda: world.is_quiet() and not world.has_leftovers(), 130)

    assert not world.engine.tests
    assert not world.engine.sandboxes
    assert not world.engine._background
