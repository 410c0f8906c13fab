"""Watches a run's namespaces: pods as they come up, probes' logs as they grow, and why something does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Self

from zerotrust.api import reasons
from zerotrust.api.errors import ApiRefused, Broken, Wait
from zerotrust.core.evidence import Evidence, Span
from zerotrust.core.plan import Door
from zerotrust.core.reading import printable
from zerotrust.core.test import CANARY, Test
from zerotrust.runs import pods
from zerotrust.runs.building import Built
from zerotrust.runs.pods import Pods
from zerotrust.runs.ports import Clock, Cluster, Object
from zerotrust.sandbox.names import Owner
from zerotrust.sandbox.policies import target_port

EXPLAIN_EVERY = 3.0
TARGET_PATIENCE = 15.0
RETRY = 0.3


class Watcher:
    """Sees everything that happens in a run's namespaces; use as an async context manager."""

    def __init__(self, cluster: Cluster, namespaces: Iterable[str], clock: Clock) -> None:
        self.cluster, self.clock = cluster, clock
        self.namespaces = list(namespaces)
        self.pods = Pods()
        self.why: str = reasons.RUN_TIMEOUT
        self._synced: set[str] = set()
        self._event = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._targets: dict[str, tuple[str, Mapping[str, str], int | str]] = {}
        self._addresses: dict[str, str] = {}
        self._expected: list[tuple[str, str, Mapping[str, str], int]] = []
        self._explained = self._expected_at = 0.0

    async def __aenter__(self) -> Self:
        for namespace in self.namespaces:
            self._start(self._watch(namespace))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._event.set())
        self._tasks.append(task)

    def _now(self) -> float:
        return self.clock().timestamp()

    async def changed(self, at_least: float) -> None:
        """Return when something happened, but give it this many seconds to come together."""
        await asyncio.sleep(at_least)
        try:
            await asyncio.wait_for(self._event.wait(), 1.0)
        except TimeoutError:
            return
        finally:
            self._event.clear()

    def check(self) -> None:
        """Raise what a watching task ended with, and what no run survives."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error
        if self.pods.lost:
            raise Broken(reasons.SANDBOX_LOST, f"the probe at {self.pods.lost[0]} was deleted during the run")

    async def _watch(self, namespace: str) -> None:
        while True:
            seen: set[tuple[str, str]] = set()
            try:
                async for event, pod in self.cluster.watch("Pod", namespace):
                    self._take(namespace, event, pod, seen)
                    self._event.set()
            except Wait:
                pass
            except ApiRefused as error:
                if error.status not in (403, 404, 410):
                    raise
                if error.status == 404 and namespace in self._synced:
                    raise Broken(reasons.SANDBOX_LOST, f"namespace {namespace} is gone") from error
            await asyncio.sleep(RETRY)

    def _take(self, namespace: str, event: str, pod: Object, seen: set[tuple[str, str]]) -> None:
        if event == "SYNCED":
            gone = [key for key in self.pods.known if key[0] == namespace and key not in seen]
            for key in gone:
                self.pods.update("DELETED", self.pods.known[key])
            self._synced.add(namespace)
        else:
            seen.add((namespace, pod["metadata"]["name"]))
            self.pods.update(event, pod)

    def expect(self, test: Test, owner: Owner, built: Built) -> None:
        """Learn which workloads must be ready and which pods stand behind which boundary."""
        for zone, items in built.objects.items():
            for item in items:
                if item["kind"] in ("Deployment", "StatefulSet"):
                    spec = item["spec"]
                    labels = (spec.get("selector") or {}).get("matchLabels") or {}
                    what = f"{item['kind']} {item['metadata']['name']}"
                    self._expected.append((owner.namespace(zone), what, labels, spec.get("replicas", 1)))
        for boundary in test.boundaries:
            service = built.services[boundary.zone, boundary.service]
            selector = service["spec"].get("selector") or {}
            port = target_port(service, boundary.port)
            self._targets[boundary.name] = (owner.namespace(boundary.zone), selector, port)
            address = str(service["spec"].get("clusterIP") or "None")
            self._addresses[boundary.name] = "" if address == "None" else address
        self._expected_at = self._now()

    @property
    def all_ready(self) -> bool:
        """Whether every workload has its replicas ready and every boundary a ready pod."""
        return not self._unready() and not self._unserved() and self._canary_is_up()

    def _canary_is_up(self) -> bool:
        canary = self.pods.probes().get(CANARY)
        return canary is not None and pods.is_wired(canary)

    def _unready(self) -> list[str]:
        found = []
        for namespace, what, labels, replicas in self._expected:
            ready = sum(pods.is_ready(pod) for pod in self.pods.matching(namespace, labels))
            if ready < replicas:
                found.append(f"{what} has {ready} of {replicas} pods ready")
        return found

    def _unserved(self) -> list[str]:
        return [
            f"no pod behind boundary {name} is ready"
            for name, (namespace, selector, _) in self._targets.items()
            if not any(pods.is_ready(pod) for pod in self.pods.matching(namespace, selector))
        ]

    async def doors(self) -> dict[str, Door]:
        """Every boundary's addresses and the canary's, as soon as all have one."""
        while True:
            self.check()
            await self.explain()
            found = self._doors()
            if found:
                return found
            await self.changed(0.02)

    def _doors(self) -> dict[str, Door] | None:
        canary = self.pods.probes().get(CANARY)
        if canary is None or not pods.address(canary):
            return None
        doors = {CANARY: Door(pods.address(canary), pods.address(canary))}
        for name, (namespace, selector, port) in self._targets.items():
            found = next((pod for pod in self.pods.matching(namespace, selector) if pods.address(pod)), None)
            if found is None:
                return None
            own = pods.address(found)
            doors[name] = Door(self._addresses[name] or own, own, pods.container_port(found, port))
        return doors

    def readiness_lag(self) -> float:
        """The longest time in which the kubelet may not have noticed that a target stopped answering."""
        lags = [
            pods.readiness_probe(pod, port) or 0.0
            for namespace, selector, port in self._targets.values()
            for pod in self.pods.matching(namespace, selector)
        ]
        return max(lags, default=0.0)

    def note(self, evidence: Evidence) -> None:
        """Add what the kubelet says: which targets answer it, which probes are on the network."""
        now = self._now()
        for name, (namespace, selector, port) in self._targets.items():
            found = self.pods.matching(namespace, selector)
            evidence.alive[name] = any(pods.is_ready(pod) for pod in found)
            spans = [
                Span(since, now - lag)
                for pod in found
                if (lag := pods.readiness_probe(pod, port)) is not None and (since := pods.ready_since(pod))
            ]
            if spans:
                evidence.ready[name] = spans
        for place, pod in self.pods.probes().items():
            if pods.is_wired(pod):
                evidence.wired.add(place)

    def follow(self, places: Iterable[str], take: Callable[[str, str], None]) -> None:
        """Follow the log of each place's probe from its first line, whatever interrupts it."""
        for place in places:
            self._start(self._follow(place, take))

    async def _follow(self, place: str, take: Callable[[str, str], None]) -> None:
        while True:
            pod = self.pods.probes().get(place)
            if pod is not None and pods.is_running(pod):
                await self._read(place, pod, take)
                ended = self._ended(place)
                if ended:
                    raise Broken(reasons.PROBE_FAILED, f"the probe at {place} stopped before its time{ended}")
            await asyncio.sleep(0.05)

    async def _read(self, place: str, pod: Object, take: Callable[[str, str], None]) -> None:
        meta = pod["metadata"]
        try:
            async for line in self.cluster.follow(meta["namespace"], meta["name"], "probe"):
                take(place, line)
                self._event.set()
        except (Wait, ApiRefused):
            await asyncio.sleep(RETRY)

    def _ended(self, place: str) -> str:
        pod = self.pods.probes().get(place)
        for status in (pod or {}).get("status", {}).get("containerStatuses") or ():
            state = status.get("state", {}).get("terminated")
            if state:
                return f": exit code {state.get('exitCode')}, {state.get('reason')}"
        return ""

    async def explain(self) -> None:
        """Give up early, with the real reason, on what will not come up by itself."""
        for pod, trouble in pods.troubles(self.pods.known.values()):
            if trouble.final:
                raise Broken(trouble.reason, await self._words(pod, trouble))
        now = self._now()
        if now - self._explained < EXPLAIN_EVERY or not self._expected_at or self.all_ready:
            return
        self._explained = now
        for text in await self._warnings("FailedCreate"):
            quota = "exceeded quota" in text
            raise Broken(reasons.QUOTA_EXCEEDED if quota else reasons.MANIFEST_REFUSED, text)
        if not self._unready() and self._unserved() and now - self._expected_at > TARGET_PATIENCE:
            raise Broken(
                reasons.TARGET_NOT_READY,
                "; ".join(self._unserved()) + " although every workload is: check replicas and the Service's selector",
            )

    async def _words(self, pod: Object, trouble: pods.Trouble) -> str:
        text = f"pod {pods.name(pod)}: {trouble.message}"
        if trouble.container:
            meta = pod["metadata"]
            last = await self.cluster.tail(meta["namespace"], meta["name"], trouble.container, previous=True)
            last = last or await self.cluster.tail(meta["namespace"], meta["name"], trouble.container)
            lines = [line for line in last.splitlines() if line.strip()]
            if lines:
                text += f"; its last log line: {printable(lines[-1], 200)}"
        return text

    async def _warnings(self, *kinds: str) -> list[str]:
        found = []
        for namespace in self.namespaces:
            try:
                events = await self.cluster.list("Event", namespace, fields="type=Warning")
            except (Wait, ApiRefused):
                continue
            for event in events:
                if event.get("reason") in kinds:
                    about = event.get("involvedObject", {})
                    text = printable(str(event.get("message")), 300)
                    found.append(f"{about.get('kind')} {about.get('name')}: {text}")
        return found

    async def last_seen(self) -> str:
        """What still stood in the way, for the message of a run that ran out of time."""
        for pod, trouble in pods.troubles(self.pods.known.values()):
            self.why = trouble.reason
            return await self._words(pod, trouble)
        missing = [*self._unready(), *self._unserved()]
        if missing:
            self.why = reasons.WORKLOAD_NOT_READY if self._unready() else reasons.TARGET_NOT_READY
            events = await self._warnings("FailedMount", "Unhealthy", "FailedCreatePodSandBox", "BackOff")
            return "; ".join([*missing[:3], *events[-2:]])
        silent = [place for place, pod in self.pods.probes().items() if not pods.is_wired(pod)]
        if silent:
            self.why = reasons.PROBE_FAILED
            return f"probes not on the network: {', '.join(sorted(silent))}"
        return "the probes had not reported"
