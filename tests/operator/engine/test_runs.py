"""A run from its test to its verdict, and what may go wrong on the way."""

from __future__ import annotations

from tests.operator.engine.simulation import simulated, until
from tests.operator.engine.world import World, declared


@simulated
async def test_a_healthy_system_passes_and_leaves_nothing_but_its_results() -> None:
    world = World()
    phases: list[str] = []
    world.api.listeners.append(
        lambda _, item: phases.append(item["status"].get("phase")) if item.get("status") and item["kind"] == "ZeroTrustTest" else None
    )
    world.start()
    world.apply(declared(tls=True))
    await until(world.decided)
    await until(world.is_quiet)

    assert world.status()["verdict"] == "Pass", world.status()
    assert phases == ["Preparing", "Probing", "Complete"]
