"""What answers an engine besides the API server: a kubelet that starts pods, probes that knock at a door."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

from tests.operator.engine.api import Api, Session, stamp
from tests.operator.engine.simulation import BEGINNING, now
from tests.unit.support import alert, at, door, getting_in, network, resource
from zerotrust.api.resource import KIND, RERUN_ANNOTATION
from zerotrust.contract import PLAN_FILE, Ask, Fact, Hello, Line, Outcome, Plan, Shown, dump, load_plan
from zerotrust.core import plan, wallet
from zerotrust.core.test import Test, parse
from zerotrust.layers.base import Boundary, Case
from zerotrust.runs.engine import Engine
from zerotrust.runs.ports import Object, Settings
from zerotrust.sandbox.names import PROBE, SELECTOR, TEST_UID

START = 0.05
ATTEMPT = 0.001
ROUNDS = 25
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 8443}], selector: {app: web}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, ports: [{containerPort: 8443}]}]}
"""
TRUSTED = frozenset({"ann", "bob"})


def declared(name: str = "shop", namespace: str = "team", *, tls: bool = False, **run: Any) -> Object:
    """A test as an author applies it: a network boundary, with mTLS and a server's certificate if asked."""
    layers: Mapping[str, Any] = {} if tls else {"mtls": None, "server": None}
    zones = [{"name": "shop", "manifests": [{"inline": MANIFEST}]}]
    item = resource(
        sandbox={"trustDomain": "shop.test", "zones": zones},
        boundaries=[door(jwt=None, http=None, **layers)],
        run=run,
    )
    item["metadata"] = {"name": name, "namespace": namespace}
    return item


@cache
def _minted() -> wallet.Treasury:
    spec = declared(timeout="9999h", tls=True)
    spec["metadata"] |= {"uid": "mint", "generation": 1}
    test = parse(spec)
    found = [*plan.cases(test), *plan.canary_cases()]
    doors = {b.name: b for b in (*test.boundaries, plan.canary())}
    return wallet.mint(test, found, doors, BEGINNING - timedelta(minutes=1))


def mint(test: Test, found: Iterable[Case], boundaries: Mapping[str, Boundary], moment: object) -> wallet.Treasury:
    """Real credentials, made once for all tests: they last longer than any simulated time."""
    return _minted()


@dataclass
class Counts:
    """What the engine says it did: an ``Observer``."""

    finished: list[str] = field(default_factory=list)
    errors: int = 0

    def run_finished(self, verdict: str, trigger: str, seconds: float, stages: Mapping[str, float]) -> None:
        self.finished.append(f"{trigger}:{verdict}")

    def cases_judged(self, cases: object) -> None:
        assert cases is not None

    def error(self) -> None:
        self.errors += 1


class World:
    """A cluster with one operator."""

    def __init__(self, max_running: int = 10) -> None:
        self.api = Api()
        for name in ("team", "other"):
            self.api.put({"kind": "Namespace", "metadata": {"name": name, "labels": {}}, "status": {"phase": "Active"}})
        self.api.listeners.append(self._happened)
        self.settings = Settings("probe", sandbox_role="zerotrust-sandbox", max_running=max_running)
        self.open_to_all: set[str] = set()
        """Uids of tests whose system lets everybody in."""
        self.enforces = True
        self.pace = 0.0
        """Seconds that probes take before their first attempt."""
        self.garble: dict[str, str] = {}
        """By place: a line which its probe prints after its greeting."""
        self.counts = Counts()
        self.kubelet_works = True
        self.session, self.engine = self._operator()

    # the operator

    def _operator(self) -> tuple[Session, Engine]:
        session = Session(self.api)
        return session, Engine(session, self.settings, self.counts, now)

    def start(self) -> None:
        """The operator starts, lists what is there, and sweeps."""
        for item in list(self.api.of(KIND)):
            self.engine.observe(_copy(item))
        self.api.spawn(self._sweep(self.engine))

    async def _sweep(self, engine: Engine) -> None:
        while engine is self.engine:
            await asyncio.sleep(2.0)
            await engine.sweep()
            await asyncio.sleep(58.0)

    async def kill(self) -> None:
        """The operator's process is gone: no request of it arrives any more, no line of it runs."""
        old, self.session.dead = self.engine, True
        self.session, self.engine = self._operator()
        await old.close()
        while left := [*old._background]:
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def restart(self) -> None:
        """Killed, and back."""
        await self.kill()
        self.start()

    # the author

    def apply(self, item: Object) -> Object:
        """Create or change a test."""
        old = self.api.objects.get((KIND, item["metadata"]["namespace"], item["metadata"]["name"]))
        if old:
            meta = {**item["metadata"], "uid": old["metadata"]["uid"]}
            item = {**item, "metadata": meta, "status": old.get("status") or {}}
        return self.api.put(_copy(item))

    def ask_again(self, word: str, name: str = "shop", namespace: str = "team") -> None:
        """Annotate a test for another run."""
        old = self.api.objects[KIND, namespace, name]
        notes = {RERUN_ANNOTATION: word}
        self.api.put({**old, "metadata": {**old["metadata"], "annotations": notes}}, spec_changed=False)

    def delete(self, name: str = "shop", namespace: str = "team") -> None:
        """Delete a test."""
        self.api.remove(KIND, namespace, name)

    # what can be seen

    def status(self, name: str = "shop", namespace: str = "team") -> Object:
        """A test's status as the server has it; empty for none."""
        found: Object = (self.api.objects.get((KIND, namespace, name)) or {}).get("status") or {}
        return found

    def decided(self, name: str = "shop", namespace: str = "team") -> bool:
        """Whether a test has a verdict of its present generation, and no run under way."""
        item, status = self.api.objects[KIND, namespace, name], self.status(name, namespace)
        current = status.get("observedGeneration") == item["metadata"]["generation"]
        return bool(current and status.get("phase") == "Complete" and (status.get("run") or {}).get("completionTime"))

    def sandboxes(self, uid: str = "", *, active: bool = True) -> list[Object]:
        """Namespaces of runs, of one test or all; without those that are being deleted, unless asked."""
        key, _, value = SELECTOR.partition("=")
        return [
            item
            for item in self.api.of("Namespace")
            if item["metadata"]["labels"].get(key) == value
            and (item["status"]["phase"] == "Active" or not active)
            and uid in ("", item["metadata"]["labels"][TEST_UID])
        ]

    def has_leftovers(self) -> bool:
        """Whether anything of a run is left but results and events."""
        own = {KIND, "ConfigMap", "Event"}
        return bool(self.sandboxes(active=False)) or not {key[0] for key in self.api.objects} <= own | {"Namespace"}

    def is_quiet(self) -> bool:
        """Whether the engine remembers nothing but its tests."""
        busy = [known for known in self.engine.tests.values() if known.task or known.run]
        return not (busy or self.engine._background or self.engine.sandboxes)

    # the kubelet and the controllers

    def _happened(self, event: str, item: Object) -> None:
        if item["kind"] == KIND:
            self._deliver(event, item)
        elif item["kind"] == "Pod" and event == "DELETED":
            meta = item["metadata"]
            self.api.spawn(self.api.end_log(meta["namespace"], meta["name"]))
        elif event == "ADDED" and item["kind"] in ("Deployment", "Job"):
            self.api.spawn(self._pod(item))

    def _deliver(self, event: str, item: Object) -> None:
        engine, copy = self.engine, _copy(item)

        def arrive() -> None:
            if engine is not self.engine:
                return
            if event == "DELETED":
                engine.forget(copy["metadata"]["uid"])
            else:
                engine.observe(copy)

        asyncio.get_running_loop().call_later(0.003, arrive)

    async def _pod(self, owner: Object) -> None:
        await asyncio.sleep(START)
        meta, template = owner["metadata"], owner["spec"]["template"]
        if not self.kubelet_works or (owner["kind"], meta["namespace"], meta["name"]) not in self.api.objects:
            return
        labels = template["metadata"]["labels"]
        pod_name = f"{meta['name']}-x"
        started = [{"name": "probe", "started": True, "ready": True, "state": {"running": {}}}]
        ready = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp()}]
        number = int(hashlib.sha256(f"{meta['namespace']}{pod_name}".encode()).hexdigest()[:4], 16)
        status = {"podIP": f"10.0.{number // 256}.{number % 256}", "containerStatuses": started, "conditions": ready}
        pod_meta = {"name": pod_name, "namespace": meta["namespace"], "labels": labels}
        pod = self.api.put({"kind": "Pod", "metadata": pod_meta, "spec": template["spec"], "status": status})
        if PROBE in labels:
            await self._probe(pod, labels[PROBE], labels[TEST_UID], f"{meta['name']}")

    async def _probe(self, pod: Object, place: str, uid: str, secret: str) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        work = load_plan(self.api.objects["Secret", namespace, secret]["stringData"][PLAN_FILE])
        number = 0

        async def say(**said: Any) -> None:
            nonlocal number
            await self.api.print(namespace, name, dump(Line(work.run, number, **said)))
            number += 1

        await say(hello=Hello(place, len(work.asks)))
        if place in self.garble:
            await self.api.print(namespace, name, self.garble[place])
        for shown in _certificates(work):
            await say(shown=shown)
        attempt = 0
        await asyncio.sleep(self.pace)
        while ("Pod", namespace, name) in self.api.objects and work.asks and attempt < ROUNDS:
            await asyncio.sleep(ATTEMPT)
            for ask, fact in self._round(work, place, uid, now().timestamp()):
                await say(fact=replace(fact, ask=ask.id, attempt=attempt))
            attempt += 1
            await asyncio.sleep(work.pause)

    def _round(self, work: Plan, place: str, uid: str, moment: float) -> Iterable[tuple[Ask, Fact]]:
        canaries = {
            pod["status"]["podIP"]
            for pod in self.api.of("Pod")
            if pod["metadata"]["labels"].get(PROBE) == "canary" and pod["metadata"]["labels"][TEST_UID] == uid
        }
        controls = [ask for ask in work.asks if ask.cadence == "control"]
        for group, start in ((controls, -ATTEMPT), (work.asks, 0.0), (controls, ATTEMPT)):
            for ask in group:
                fact = replace(self._answer(ask, place, uid, ask.address in canaries), started=0.0, ended=ATTEMPT / 2)
                yield ask, at(moment + start, fact, ask.id)

    def _answer(self, ask: Ask, place: str, uid: str, canary: bool) -> Fact:
        """What an ask meets: at the canary everybody gets in but through its twin, elsewhere whom the spec names."""
        admitted = _showing(getting_in(ask), _leaf(canary))
        if canary:
            return network(Outcome.TIMED_OUT) if ask.port == plan.TWIN_PORT and self.enforces else admitted
        if uid in self.open_to_all:
            return admitted
        if place not in TRUSTED or ask.port != 8443:
            return network(Outcome.TIMED_OUT)
        if ask.tls and ask.tls.newest:
            return alert("protocol_version", asked=False, finished=False)
        if ask.tls and ask.tls.credential not in TRUSTED:
            return alert("certificate_required" if ask.tls.credential is None else "unknown_ca")
        return admitted


def _certificates(work: Plan) -> Iterable[Shown]:
    """The servers' leaves, as a probe with something to do reports them."""
    own = _minted()
    for pem in (own.canary.certificate, own.served["web"].certificate) if work.asks else ():
        raw = _der(pem)[0]
        yield Shown(hashlib.sha256(raw).hexdigest(), base64.b64encode(raw).decode())


@cache
def _leaf(canary: bool) -> str:
    pem = _minted().canary if canary else _minted().served["web"]
    return hashlib.sha256(_der(pem.certificate)[0]).hexdigest()


def _showing(fact: Fact, leaf: str) -> Fact:
    return replace(fact, tls=replace(fact.tls, certificates=(leaf,))) if fact.tls else fact


@cache
def _der(pem: str) -> tuple[bytes, ...]:
    end = "-----END CERTIFICATE-----"
    parts = [part.strip() + f"\n{end}\n" for part in pem.split(end) if "BEGIN CERTIFICATE" in part]
    return tuple(ssl.PEM_cert_to_DER_cert(part) for part in parts)


def _copy(item: Object) -> Object:
    copied: Object = {**item, "metadata": dict(item["metadata"])}
    return copied
