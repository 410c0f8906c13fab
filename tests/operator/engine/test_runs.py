"""A run from its test to its verdict, and what may go wrong on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.operator.engine.simulation import simulated, until
from tests.operator.engine.world import World, declared
from zerotrust.api.resource import KIND
from zerotrust.contract import Hello, Line, dump
from zerotrust.core.judge import Judge
from zerotrust.runs.ports import Object
from zerotrust.sandbox.names import PROBE


def statuses(world: World) -> list[Object]:
    """Every status that is written from now on."""
    seen: list[Object] = []

    def note(event: str, item: Object) -> None:
        if item["kind"] == KIND and item.get("status") and item["status"] not in seen[-1:]:
            seen.append(item["status"])

    world.api.listeners.append(note)
    return seen


def condition(status: Object, kind: str) -> str:
    """What a status says of a condition."""
    return next((str(c["status"]) for c in status["conditions"] if c["type"] == kind), "-")


async def probing(world: World) -> Object:
    """Wait for the first probe that does something; its pod."""
    await until(lambda: world.status().get("phase") == "Probing")
    return probes(world)[-1]


def probes(world: World) -> list[Object]:
    return [pod for pod in world.api.of("Pod") if PROBE in pod["metadata"]["labels"]]


def spot(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


@simulated
async def test_a_healthy_system_passes_and_leaves_nothing_but_its_results() -> None:
    world = World()
    seen = statuses(world)
    world.start()
    world.apply(declared(tls=True))
    await until(world.decided)
    await until(world.is_quiet)
    await until(lambda: not world.has_leftovers())

    assert world.status()["verdict"] == "Pass"
    assert world.status()["summary"]["passed"] == world.status()["summary"]["total"] > 20
    assert [status["phase"] for status in seen] == ["Preparing", "Probing", "Complete"]
    kinds = ("Ready", "Passed", "Complete", "Reconciling", "Running", "Stalled")
    told = [[condition(status, kind) for kind in kinds] for status in seen]
    under_way = ["Unknown", "Unknown", "False", "True", "True", "-"]
    assert told == [under_way, under_way, ["True", "True", "True", "-", "False", "-"]]
    assert [item["metadata"]["name"] for item in world.api.of("ConfigMap")] == ["shop-results"]
    assert world.counts.finished == ["Created:Pass"]


@simulated
async def test_a_system_that_lets_everybody_in_fails() -> None:
    world = World()
    world.start()
    uid = world.apply(declared(tls=True))["metadata"]["uid"]
    world.open_to_all.add(uid)
    await until(world.decided)

    assert world.status()["verdict"] == "Fail"
    assert world.status()["summary"]["breaches"] > 5


@simulated
async def test_a_network_that_enforces_no_policy_proves_nothing() -> None:
    world = World()
    world.enforces = False
    world.start()
    world.apply(declared())
    await until(world.decided)

    assert world.status()["verdict"] == "Error"
    assert world.status()["conditions"][0]["reason"] == "PolicyNotEnforced"


@simulated
async def test_a_log_that_breaks_off_is_read_again_and_nothing_is_lost() -> None:
    world = World()

    def cut(event: str, item: Object) -> None:
        if item["kind"] == "Pod" and event == "ADDED":
            world.api.cuts[spot(item)] = [0, 1, 2, 3, 5, 8]

    world.api.listeners.append(cut)
    world.start()
    world.apply(declared(tls=True))
    await until(world.decided)

    assert world.status()["verdict"] == "Pass"
    assert sum(call.verb == "follow" for call in world.api.calls) > 15


@simulated
async def test_watches_that_end_again_and_again_change_nothing() -> None:
    world = World()
    world.start()
    world.apply(declared())
    while not world.decided():
        world.api.cut_watches()
        await asyncio.sleep(0.11)

    assert world.status()["verdict"] == "Pass"


@pytest.mark.parametrize(
    "line",
    [
        "Segmentation fault",
        "{}",
        dump(Line("another", 1, hello=Hello("ann", 1))),
        '{"version":1,"run":"x","number":',
        "x" * 20_000,
        "\x00\ufffd",
    ],
    ids=["prose", "empty", "forged", "half", "long", "binary"],
)
@simulated
async def test_a_probe_that_prints_what_no_probe_prints_never_passes(line: str) -> None:
    world = World()
    world.garble["ann"] = line
    world.start()
    world.apply(declared())
    await until(world.decided)
    await until(world.is_quiet)

    assert (world.status()["verdict"], world.status()["run"]["attempt"]) == ("Error", 1)
    assert world.status()["conditions"][0]["reason"] == "ProbeReportInvalid"


@pytest.mark.parametrize("what", ["pod", "namespace"])
@simulated
async def test_what_is_deleted_during_a_run_is_built_again_from_new(what: str) -> None:
    world = World()
    world.pace = 5.0
    world.start()
    world.apply(declared())
    namespace, name = spot(await probing(world))
    if what == "pod":
        world.api.remove("Pod", namespace, name)
    else:
        world.api.start_removing(namespace)
    await until(world.decided)
    await until(world.is_quiet)

    assert (world.status()["verdict"], world.status()["run"]["attempt"]) == ("Pass", 2)
    assert not world.sandboxes()


@simulated
async def test_what_is_deleted_every_time_is_told_after_three_attempts() -> None:
    world = World()
    ids: set[str] = set()

    def vandal(event: str, item: Object) -> None:
        if item["kind"] == "Pod" and event == "ADDED" and PROBE in item["metadata"]["labels"]:
            ids.add(item["metadata"]["labels"]["zerotrust.dev/run"])
            asyncio.get_running_loop().call_later(0.01, world.api.remove, "Pod", *spot(item))

    world.api.listeners.append(vandal)
    world.start()
    world.apply(declared())
    await until(world.decided)
    await asyncio.sleep(300)

    assert world.status()["verdict"] == "Error"
    assert world.status()["conditions"][0]["reason"] == "SandboxLost"
    assert len(ids) == 3
    assert not world.sandboxes()


@simulated
async def test_pods_that_never_come_end_in_an_error_when_the_time_is_up() -> None:
    world = World()
    world.kubelet_works = False
    world.start()
    world.apply(declared(timeout="1m"))
    await until(world.decided)
    await until(world.is_quiet)

    assert world.status()["verdict"] == "Error"
    assert 50 < world.status()["run"]["durationSeconds"] <= 61
    assert not world.sandboxes()


@simulated
async def test_a_bug_while_judging_is_told_once_and_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    world = World()
    monkeypatch.setattr(Judge, "judge", broken)
    world.start()
    world.apply(declared())
    await until(world.decided)
    await asyncio.sleep(300)

    assert world.status()["verdict"] == "Error"
    assert world.status()["conditions"][0]["reason"] == "InternalError"
    assert world.counts.finished == ["Created:Error"]
    assert world.counts.errors == 1
    assert not world.sandboxes()
