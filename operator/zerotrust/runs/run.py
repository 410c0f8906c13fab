"""One run: from a test to an outcome. Everything it learns comes from watching its own namespaces and probes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from zerotrust.api import reasons
from zerotrust.api.errors import ApiRefused, Broken, Reject, Wait
from zerotrust.api.resource import seconds
from zerotrust.api.status import Phase, Verdict
from zerotrust.contract import Plan, Serve
from zerotrust.core import plan
from zerotrust.core.evidence import Evidence, InvalidReport
from zerotrust.core.judge import PATIENCE, Judge, Judgement, is_due
from zerotrust.core.report import Outcome, failure, outcome, time_text
from zerotrust.core.test import CANARY, Test
from zerotrust.core.wallet import Treasury, mint
from zerotrust.layers.base import OUTSIDER, Boundary, Case
from zerotrust.runs.building import Builder, gather_manifests, retried
from zerotrust.runs.ports import Clock, Cluster, Settings
from zerotrust.runs.watching import Watcher
from zerotrust.sandbox import policies, probes
from zerotrust.sandbox.credentials import service_account
from zerotrust.sandbox.names import Owner, place_namespace

JUDGE_EVERY = 0.1
GRACE = 2.0
"""Seconds kept from the run's timeout for judging and telling."""
DECIDED = frozenset({Verdict.PASS, Verdict.BREACH})
"""Verdicts on the canary that no patience will change; anything less is a busy machine, and waits."""
Progress = Callable[[Phase, str, str], Awaitable[None]]


class Run:
    """One attempt at one run of one test, in namespaces of its own."""

    def __init__(
        self, cluster: Cluster, settings: Settings, test: Test, run: str, clock: Clock, progress: Progress
    ) -> None:
        self.cluster, self.settings, self.test, self.clock, self.progress = (
            cluster,
            settings,
            test,
            clock,
            progress,
        )
        self.owner = Owner(run, test.uid, f"{test.namespace}/{test.name}")
        self.lifetime = seconds(test.spec.run.timeout)
        self.stages: dict[str, float] = {}
        self.own_cases, self.canary_cases = plan.cases(test), plan.canary_cases(test.spec.run.coverage)
        self.boundaries: dict[str, Boundary] = {b.name: b for b in (*test.boundaries, plan.canary())}
        self.judge: Judge | None = None
        self.treasury: Treasury | None = None
        self.watcher: Watcher | None = None
        self.at_work: float | None = None
        self._open = deque([*self.own_cases, *self.canary_cases])
        """Cases not yet seen settled, the one that was last found so in front: most looks end with the first."""
        self._places = sorted({OUTSIDER, *plan.places(self.own_cases)} - {""})

    @property
    def namespaces(self) -> list[str]:
        """The namespaces of the run."""
        return [
            *(self.owner.namespace(zone.name) for zone in self.test.spec.sandbox.zones),
            self.owner.outside,
        ]

    def now(self) -> float:
        """Unix seconds."""
        return self.clock().timestamp()

    async def execute(self) -> Outcome:
        """Run to a verdict. Errors: Reject where the author must act, Wait where a fresh attempt may succeed."""
        started = self.now()
        try:
            async with asyncio.timeout(max(self.lifetime - GRACE, 1.0)):
                await self._work(started)
        except TimeoutError:
            return await self._timed_out()
        except Broken as error:
            if error.reason in reasons.RETRYABLE:
                raise Wait(error.reason, error.message) from error
            return failure(Verdict.ERROR, error.reason, error.message)
        return self._verdict(self._waited())

    async def _work(self, started: float) -> None:
        if not self.own_cases:
            return
        objects = await gather_manifests(self.cluster, self.test, self.owner)
        cases = [*self.own_cases, *self.canary_cases]
        minted = asyncio.create_task(asyncio.to_thread(mint, self.test, cases, self.boundaries, self.clock()))
        try:
            builder = self._builder()
            await builder.namespaces()
            self.treasury = await minted
        finally:
            minted.cancel()
        self.stages["sandbox"] = self.now() - started
        async with Watcher(self.cluster, self.namespaces, self.clock) as watcher:
            self.watcher = watcher
            await self._canary(builder)
            built = await builder.zones(self.treasury, objects, self.clock())
            watcher.expect(self.test, self.owner, built)
            self.stages["workloads"] = self.now() - started
            await self._probes(builder)
            self.stages["addresses"] = self.now() - started
            await self._probe(started)

    def _builder(self) -> Builder:
        keep = seconds(self.test.spec.run.keep_sandbox_for)
        expires = datetime.fromtimestamp(self.now() + self.lifetime + keep, self.clock().tzinfo)
        return Builder(self.cluster, self.settings, self.test, self.owner, time_text(expires))

    async def _canary(self, builder: Builder) -> None:
        assert self.treasury
        serve = Serve(ports=(plan.CANARY_PORT, plan.TWIN_PORT), credential=CANARY)
        program = Plan(self.owner.run, CANARY, (), self.lifetime, probes.LISTEN_PORT, serve=serve)
        await builder.create(
            policies.canary(self.owner),
            service_account(self.owner, self.owner.outside, OUTSIDER),
            probes.secret(
                self.owner, self.owner.outside, probes.job_name(CANARY), program, {CANARY: self.treasury.canary}
            ),
            probes.job(
                self.owner, self.owner.outside, CANARY, self.settings.probe_image, OUTSIDER,
                probes.canary_labels(), self.lifetime, check_port=plan.TWIN_PORT,
            ),
        )  # fmt: skip

    async def _probes(self, builder: Builder) -> None:
        """Create the probes as soon as what they are to knock at has an address; they wait in place for it."""
        assert self.watcher
        assert self.treasury
        doors = await self.watcher.doors()
        cases = [*self.own_cases, *self.canary_cases]
        program = plan.program(cases, self.boundaries, doors, self.treasury.wallet)
        places = {place: tuple(program.places.get(place, ())) for place in self._places}
        evidence = Evidence(self.owner.run, program.asks, places)
        treasury, known = self.treasury, self.test.all_identities
        self.judge = Judge(
            program,
            evidence,
            lambda identity, leaf, chain: treasury.check_server(known[identity], leaf, chain, self.clock()),
            patience=max(PATIENCE, self.watcher.readiness_lag() + 5.0),
        )
        await asyncio.gather(*(self._one_probe(builder, place, program) for place in self._places))
        self.watcher.follow(self._places, self._take)

    async def _one_probe(self, builder: Builder, place: str, program: plan.Program) -> None:
        assert self.treasury
        zones = {identity.name: identity.zone for identity in self.test.spec.identities}
        namespace = place_namespace(self.owner, place, zones)
        spec = next((identity for identity in self.test.spec.identities if identity.name == place), None)
        work = Plan(self.owner.run, place, program.at(place), self.lifetime, probes.LISTEN_PORT)
        name = probes.job_name(place)
        await builder.create(
            probes.secret(self.owner, namespace, name, work, self.treasury.carried),
            probes.job(
                self.owner, namespace, place, self.settings.probe_image, place,
                policies.pod_labels(spec) if spec else {}, self.lifetime,
            ),
        )  # fmt: skip

    def _take(self, place: str, line: str) -> None:
        assert self.judge
        try:
            self.judge.evidence.take(place, line)
        except InvalidReport as error:
            raise Broken(reasons.PROBE_REPORT_INVALID, f"the probe at {place} printed {error}") from error

    async def _probe(self, started: float) -> None:
        assert self.watcher
        assert self.judge
        evidence = self.judge.evidence
        judged = -1
        while True:
            self.watcher.check()
            await self.watcher.explain()
            self.watcher.note(evidence)
            if self.at_work is None and self._all_at_work():
                self.at_work = evidence.begun = self.now()
                self.stages["preparing"] = self.at_work - started
                await self.progress(Phase.PROBING, reasons.RUNNING, f"{len(self.own_cases)} cases are being tried")
            if evidence.count != judged or self.at_work is not None:
                judged = evidence.count
                if "first_fact" not in self.stages and evidence.facts:
                    self.stages["first_fact"] = self.now() - started
                if self._all_settled():
                    self.stages["probing"] = self.now() - (self.at_work or started)
                    return
            await self.watcher.changed(JUDGE_EVERY)

    def _all_at_work(self) -> bool:
        assert self.watcher
        assert self.judge
        return self.judge.evidence.greeted >= set(self._places) and self.watcher.all_ready

    def _waited(self) -> float:
        return 0.0 if self.at_work is None else self.now() - self.at_work

    def _all_settled(self) -> bool:
        while self._open:
            if not self._is_settled(self._open[0]):
                return False
            self._open.popleft()
        # What settled early is looked at again with all that came since.
        self._open.extend(c for c in (*self.own_cases, *self.canary_cases) if not self._is_settled(c))
        return not self._open

    def _is_settled(self, case: Case) -> bool:
        assert self.judge
        found = self.judge.judge(case, self._waited())
        if case.boundary != CANARY:
            return found.settled
        return is_due(found, plan.TWIN_CASE) or (found.settled and found.verdict in DECIDED)

    def _verdict(self, waited: float) -> Outcome:
        if self.judge is None:
            return outcome([], self.test.spec.waivers, self._today())
        judge = self.judge
        own = (judge.judge(case, waited) for case in self.canary_cases)
        faults = [found for found in own if not is_due(found, plan.TWIN_CASE)]
        if faults:
            return _tool_failed(faults)
        return outcome((judge.judge(case, waited) for case in self.own_cases), self.test.spec.waivers, self._today())

    def _today(self) -> str:
        return self.clock().date().isoformat()

    async def _timed_out(self) -> Outcome:
        limit = self.test.spec.run.timeout
        if self.judge is None or self.at_work is None:
            seen = await self.watcher.last_seen() if self.watcher else "the sandbox was not built"
            text = f"not everything was ready within spec.run.timeout ({limit}): {seen}"
            return failure(Verdict.ERROR, self.watcher.why if self.watcher else reasons.RUN_TIMEOUT, text)
        return self._verdict(float("inf"))

    async def clean_up(self) -> None:
        """Delete the run's namespaces; not awaited to the end, the sweep looks after what stays."""
        for namespace in self.namespaces:
            with suppress(Wait, ApiRefused, Broken, Reject):
                await retried(lambda name=namespace: self.cluster.delete("Namespace", None, name))  # type: ignore[misc]


def _tool_failed(faults: list[Judgement]) -> Outcome:
    twin = next((fault for fault in faults if fault.case.id == plan.TWIN_CASE), None)
    if twin and twin.verdict is Verdict.BREACH:
        text = (
            "the network plugin did not enforce a NetworkPolicy of the operator's own: "
            f"a port that a policy closes let a connection in ({twin.seen}); install a plugin that enforces policies"
        )
        return failure(Verdict.ERROR, reasons.POLICY_NOT_ENFORCED, text)
    named = "; ".join(f"{fault.case.id}: {fault.verdict} ({fault.message})" for fault in faults[:3])
    text = f"the tool did not find {len(faults)} known holes, so it proves nothing here: {named}"
    return failure(Verdict.ERROR, reasons.CANARY_MISSED, text)
