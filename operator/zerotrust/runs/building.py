"""Builds a run's sandbox: namespaces, rights, policies, credentials, workloads, in as few round trips as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from zerotrust.api import reasons
from zerotrust.api.errors import ApiRefused, Broken, Reject, Wait
from zerotrust.core.test import OUTSIDE, Test
from zerotrust.core.wallet import Treasury, issuer_url
from zerotrust.runs.ports import Cluster, Object, Settings
from zerotrust.sandbox import credentials, manifests, namespaces, policies
from zerotrust.sandbox.names import Owner

T = TypeVar("T")
ATTEMPTS = 40
RIGHTS_DELAY = 0.05
"""A new RoleBinding takes the authorizer some milliseconds; until then our own requests are forbidden."""
AT_ONCE = 8
MANIFEST_PATIENCE = 20
"""Half seconds to wait for a ConfigMap of manifests."""


@dataclass
class Built:
    """What the sandbox was built from: the objects of each zone, and the Services as they exist."""

    objects: dict[str, list[Object]] = field(default_factory=dict)
    services: dict[tuple[str, str], Object] = field(default_factory=dict)


async def retried(step: Callable[[], Awaitable[T]], *, forbidden_is_early: bool = False) -> T:
    """Do a step until it is done, waiting out what may pass. Errors: the last one after too many attempts."""
    for attempt in range(ATTEMPTS):
        try:
            return await step()
        except Wait as error:
            if attempt == ATTEMPTS - 1:
                raise Broken(error.reason, error.message) from error
            await asyncio.sleep(min(error.after, 0.1 * 2**attempt))
        except ApiRefused as error:
            early = forbidden_is_early and error.status == 403 and attempt < ATTEMPTS - 1
            if not early or "exceeded quota" in error.message:
                raise
            await asyncio.sleep(RIGHTS_DELAY * (1 + attempt / 4))
    raise AssertionError("unreachable")


async def gather_manifests(cluster: Cluster, test: Test, owner: Owner) -> dict[str, list[Object]]:
    """Each zone's objects, read, filled in and checked. Errors: Reject."""
    values = {
        "trustDomain": test.spec.sandbox.trust_domain,
        "issuer": issuer_url(test),
        "run": owner.run,
        **{f"zones.{zone.name}": owner.namespace(zone.name) for zone in test.spec.sandbox.zones},
    }
    objects: dict[str, list[Object]] = {}
    for zone in test.spec.sandbox.zones:
        found: list[Object] = []
        for index, source in enumerate(zone.manifests):
            where = f"zone {zone.name}, manifests[{index}]"
            for part, text in (await _texts(cluster, test.namespace, source, where)).items():
                found += manifests.prepare(manifests.load(text, part), owner, zone.name, values, part)
        _no_doubles(found, zone.name)
        objects[zone.name] = manifests.in_order(found)
    _check_services(test, objects)
    return objects


async def _texts(cluster: Cluster, namespace: str, source: Any, where: str) -> dict[str, str]:
    if source.inline is not None:
        return {where: source.inline}
    if source.config_map is None:
        raise Reject(reasons.INVALID_SPEC, f"{where}: give either configMap or inline")
    name = source.config_map.name
    found = None
    for _ in range(MANIFEST_PATIENCE):  # applied together with the test, it may come a moment later
        found = await retried(lambda: cluster.get("ConfigMap", namespace, name))
        if found is not None:
            break
        await asyncio.sleep(0.5)
    if found is None:
        raise Reject(reasons.MANIFESTS_MISSING, f"{where}: ConfigMap {name} does not exist in namespace {namespace}")
    return {f"ConfigMap {name}, key {key}": text for key, text in sorted((found.get("data") or {}).items())}


def _no_doubles(objects: Iterable[Object], zone: str) -> None:
    seen = set()
    for item in objects:
        key = (item["kind"], item["metadata"]["name"])
        if key in seen:
            raise Reject(reasons.MANIFEST_INVALID, f"zone {zone}: {key[0]} {key[1]} is declared twice")
        seen.add(key)


def _check_services(test: Test, objects: Mapping[str, list[Object]]) -> None:
    for boundary in test.boundaries:
        services = {o["metadata"]["name"]: o for o in objects[boundary.zone] if o["kind"] == "Service"}
        if boundary.service not in services:
            known = ", ".join(sorted(services)) or "none"
            raise Reject(
                reasons.INVALID_SPEC,
                f"boundary {boundary.name}: zone {boundary.zone} has no Service {boundary.service} "
                f"in its manifests (found: {known})",
            )
        spec = services[boundary.service].get("spec") or {}
        ports = [item.get("port") for item in spec.get("ports") or ()]
        if boundary.port not in ports:
            raise Reject(
                reasons.INVALID_SPEC,
                f"boundary {boundary.name}: Service {boundary.service} has no port {boundary.port} (found: {ports})",
            )
        if not spec.get("selector"):
            raise Reject(reasons.INVALID_SPEC, f"boundary {boundary.name}: Service {boundary.service} selects no pods")


@dataclass(frozen=True)
class Builder:
    """Creates everything but the probes."""

    cluster: Cluster
    settings: Settings
    test: Test
    owner: Owner
    expires: str

    async def namespaces(self) -> None:
        """Every zone's namespace and the outside, each with the operator's rights and its quota."""
        zones = [(zone.name, zone.pod_security) for zone in self.test.spec.sandbox.zones]
        await _together(self._namespace(*zone) for zone in (*zones, (OUTSIDE, "restricted")))

    async def _namespace(self, zone: str, pod_security: str) -> None:
        name, own = self.owner.namespace(zone), self.settings
        wanted = namespaces.namespace(self.owner, zone, pod_security, self.expires)
        await retried(lambda: self.cluster.create(wanted))
        if own.sandbox_role:
            rights = namespaces.own_rights(self.owner, name, own.sandbox_role, own.account, own.namespace)
            await retried(lambda: self.cluster.create(rights))
        await self._create(namespaces.quota(self.owner, name))

    async def zones(self, treasury: Treasury, objects: Mapping[str, list[Object]], now: datetime) -> Built:
        """Policies first, then credentials, then the author's objects, workloads last: nothing ever runs unguarded."""
        built = Built(objects=dict(objects))
        declared = {
            (zone, item["metadata"]["name"]): item
            for zone, items in objects.items()
            for item in items
            if item["kind"] == "Service"
        }
        await _together(self._create(item) for item in self._policies(declared))
        await _together(self._create(item) for item in self._credentials(treasury, now))
        for zone, items in objects.items():
            first = [item for item in items if item["kind"] not in manifests.WORKLOADS]
            for made in await _together(self._create(item, authored=True) for item in first):
                if made["kind"] == "Service":
                    built.services[zone, made["metadata"]["name"]] = made
            later = [item for item in items if item["kind"] in manifests.WORKLOADS]
            await _together(self._create(item, authored=True) for item in later)
        return built

    def _policies(self, services: Mapping[tuple[str, str], Object]) -> Iterable[Object]:
        for zone in self.test.spec.sandbox.zones:
            if zone.network_policies == "Generated":
                own = {name: item for (where, name), item in services.items() if where == zone.name}
                dns = self.settings.dns_peers
                yield from policies.zone_policies(self.owner, self.test, zone.name, own, dns)
                yield from policies.grants_out(self.owner, self.test, zone.name, services)

    def _credentials(self, treasury: Treasury, now: datetime) -> Iterable[Object]:
        for zone in self.test.spec.sandbox.zones:
            yield credentials.trust(self.owner, self.owner.namespace(zone.name), treasury, now)
        for identity in self.test.spec.identities:
            namespace = self.owner.namespace(identity.zone)
            yield credentials.service_account(self.owner, namespace, identity.name)
            yield credentials.certificate(self.owner, namespace, identity.name, treasury)

    async def _create(self, item: Object, *, authored: bool = False) -> Object:
        try:
            made = await retried(lambda: self.cluster.create(item), forbidden_is_early=not authored)
        except ApiRefused as error:
            raise _refused(item, error, authored=authored) from error
        return {**made, "kind": item["kind"]}

    async def create(self, *items: Object) -> None:
        """Create objects of the operator's own, one after the other."""
        for item in items:
            await self._create(item)


def _refused(item: Object, error: ApiRefused, *, authored: bool) -> Exception:
    what = f"{item['kind']} {item['metadata']['name']}: {error.message}"
    if "exceeded quota" in error.message:
        return Broken(reasons.QUOTA_EXCEEDED, what)
    if "being terminated" in error.message or error.status == 404:
        return Broken(reasons.SANDBOX_LOST, what)
    return Reject(reasons.MANIFEST_REFUSED, what) if authored else Broken(reasons.API_UNAVAILABLE, what)


async def _together(steps: Iterable[Awaitable[T]]) -> list[T]:
    """A few at once; the first error is the one that is told."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(step: Awaitable[T]) -> T:
        async with gate:
            return await step

    tasks = [asyncio.ensure_future(gated(step)) for step in steps]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
