"""Whatever authors, clusters and operators do in whatever order: verdicts are true and nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.operator.engine.api import Call, unavailable
from tests.operator.engine.simulation import VirtualLoop, until
from tests.operator.engine.world import World, declared
from zerotrust.api.resource import KIND
from zerotrust.runs.engine import Tracked
from zerotrust.sandbox.names import RUN, TEST_UID

NAMES = st.sampled_from(["one", "two", "three"])


class Operations(RuleBasedStateMachine):
    """Three tests, two places, one operator that may die."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.outage = 0
        self.asked = 0
        self.deaths = 0
        self.runner.run(self._begin())

    async def _begin(self) -> None:
        self.world = World(max_running=2)
        self.world.pace = 0.5
        self.world.api.fault = self._fault
        self.world.start()

    def _fault(self, call: Call) -> Exception | None:
        self.outage = max(0, self.outage - 1)
        return unavailable() if self.outage else None

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.run(work)

    def _exists(self, name: str) -> bool:
        return (KIND, "team", name) in self.world.api.objects

    @rule(name=NAMES, suspend=st.booleans(), healthy=st.booleans())
    def apply(self, name: str, suspend: bool, healthy: bool) -> None:
        async def work() -> None:
            existed = self._exists(name)
            item = self.world.apply(declared(name, suspend=suspend))
            if not existed and not healthy:
                self.world.open_to_all.add(item["metadata"]["uid"])

        self._do(work())

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        async def work() -> None:
            self.world.delete(name)

        self._do(work())

    @rule(name=NAMES)
    def ask_again(self, name: str) -> None:
        async def work() -> None:
            if self._exists(name):
                self.asked += 1
                self.world.ask_again(str(self.asked), name)

        self._do(work())

    @rule(name=NAMES)
    def observe_again(self, name: str) -> None:
        async def work() -> None:
            if self._exists(name):
                self.world.engine.observe(self.world.api.objects[KIND, "team", name])

        self._do(work())

    @rule()
    def kill(self) -> None:
        self.deaths += 1
        self._do(self.world.restart())

    @rule(calls=st.integers(1, 12))
    def outage_begins(self, calls: int) -> None:
        self.outage = calls

    @rule(seconds=st.sampled_from([0.001, 0.02, 0.2, 1.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self._do(asyncio.sleep(seconds))

    @rule()
    def sandbox_vanishes(self) -> None:
        async def work() -> None:
            for item in self.world.sandboxes()[:1]:
                self.world.api.start_removing(item["metadata"]["name"])

        self._do(work())

    @rule()
    def watches_end(self) -> None:
        async def work() -> None:
            self.world.api.cut_watches()

        self._do(work())

    @invariant()
    def no_run_has_more_than_its_own_two_namespaces(self) -> None:
        labels = [item["metadata"]["labels"] for item in self.world.sandboxes()]
        for run in {label[RUN] for label in labels}:
            owners = [label[TEST_UID] for label in labels if label[RUN] == run]
            assert len(owners) <= 2
            assert len(set(owners)) == 1

    @invariant()
    def no_more_runs_are_under_way_than_there_are_places(self) -> None:
        known: list[Tracked] = list(self.world.engine.tests.values())
        assert sum(bool(one.task and one.status.phase in ("Preparing", "Probing")) for one in known) <= 2

    @invariant()
    def only_a_healthy_system_passes(self) -> None:
        for item in self.world.api.of(KIND):
            if (item.get("status") or {}).get("verdict") == "Pass":
                assert item["metadata"]["uid"] not in self.world.open_to_all

    def teardown(self) -> None:
        try:
            self.runner.run(self._comes_to_rest())
        finally:
            self.runner.close()

    async def _comes_to_rest(self) -> None:
        self.outage = 0
        for name in ("one", "two", "three"):
            item = self.world.api.objects.get((KIND, "team", name))
            if item and not item["spec"]["run"]["suspend"]:
                await until(lambda name=name: self.world.decided(name), what=f"{name}: {self.world.status(name)}")  # type: ignore[misc]
        await until(self.world.is_quiet, what="quiet")
        await until(lambda: not self.world.has_leftovers(), 130, what="no sandboxes")
        self.only_a_healthy_system_passes()
        for item in self.world.api.of(KIND):
            if not item["spec"]["run"]["suspend"] and self.deaths < 3:
                hole = item["metadata"]["uid"] in self.world.open_to_all
                assert item["status"]["verdict"] in ({"Fail"} if hole else {"Pass"}) | {"Error"}


Operations.TestCase.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOperations = Operations.TestCase
