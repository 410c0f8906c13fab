"""What cannot work ends in a condition whose reason and message say what to change, and the operator goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import SystemFactory
from tests.harness import installation, kubectl
from tests.harness.kubectl import Object
from tests.harness.system import System, condition, summary
from tests.harness.waiting import eventually

ORDERS, SHORT = "orders.yaml", "20s"


@dataclass(frozen=True)
class Bad:
    """One way to get it wrong, and what the author must be told."""

    spoil: Callable[[System], object]
    reason: str
    says: str


def _manifests(text: str) -> Callable[[System], object]:
    return lambda system: system.manifests.update({"extra.yaml": text})


def _short(edit: Callable[[System], object]) -> Callable[[System], object]:
    def spoil(system: System) -> None:
        edit(system)
        system.test["spec"]["run"]["timeout"] = SHORT

    return spoil


def _named(kind: str, **meta: str) -> str:
    head = "rbac.authorization.k8s.io/v1" if kind.startswith("ClusterRole") else "v1"
    more = "".join(f", {key}: {value}" for key, value in meta.items())
    return f"apiVersion: {head}\nkind: {kind}\nmetadata: {{name: extra{more}}}\n"


MANY = "---\n".join(_named("ConfigMap").replace("extra", f"extra-{number}") for number in range(120))
SECURE = "allowPrivilegeEscalation: false"

WRONG = {
    "an image that does not exist": Bad(
        lambda s: s.edit(ORDERS, "zerotrust.local/envoy:1.40.0", "zerotrust.local/nowhere:1"),
        "ImagePullFailed",
        "zerotrust.local/nowhere:1",
    ),
    "a container that crashes": Bad(
        lambda s: s.edit(ORDERS, "args: [--bind=127.0.0.1:8080]", "args: [--no-such-option]"),
        "PodCrashed",
        "unrecognized arguments: --no-such-option",
    ),
    "a pod that no node takes": Bad(
        _short(lambda s: s.edit(ORDERS, "enableServiceLinks: false", "nodeSelector: {nowhere: here}")),
        "PodUnschedulable",
        "didn't match Pod's node affinity/selector",
    ),
    "a pod below the zone's standard": Bad(
        lambda s: s.edit(ORDERS, SECURE, SECURE.replace("false", "true")),
        "ManifestRefused",
        "violates PodSecurity",
    ),
    "more objects than the quota holds": Bad(_manifests(MANY), "QuotaExceeded", "exceeded quota"),
    "a service that never gets ready": Bad(
        _short(lambda s: s.edit(ORDERS, "tcpSocket: {port: https}", "tcpSocket: {port: 9}")),
        "WorkloadNotReady",
        "Deployment orders has 0 of 1 pods ready",
    ),
    "a ConfigMap that is not there": Bad(
        lambda s: s.test["spec"]["sandbox"]["zones"][0]["manifests"].append({"configMap": {"name": "nowhere"}}),
        "ManifestsMissing",
        "ConfigMap nowhere does not exist",
    ),
    "a name nobody knows": Bad(
        _manifests(_named("ConfigMap") + "data: {x: $(nobody)}\n"), "ManifestInvalid", "$(nobody) is unknown"
    ),
    "a text that is not YAML": Bad(_manifests("kind: [unfinished"), "ManifestInvalid", "not YAML"),
    "a kind that is not allowed": Bad(
        _manifests(_named("ClusterRole")), "ManifestInvalid", "kind ClusterRole of rbac.authorization.k8s.io/v1"
    ),
    "an object in another namespace": Bad(
        _manifests(_named("ConfigMap", namespace="kube-system")), "ManifestInvalid", "kube-system is not the zone's"
    ),
    "a privileged container": Bad(
        lambda s: s.edit(ORDERS, SECURE, "privileged: true"), "ManifestInvalid", "privileged is not allowed"
    ),
    "a schedule that is not cron": Bad(
        lambda s: s.test["spec"]["run"].update(schedule="every day"), "InvalidSpec", "is not five-field cron"
    ),
    "a zone that holds no such service": Bad(
        lambda s: s.test["spec"]["boundaries"][0]["service"].update(name="nowhere"), "InvalidSpec", "no Service nowhere"
    ),
    "a route for somebody without a certificate": Bad(
        lambda s: s.test["spec"]["boundaries"][0]["http"]["routes"][0].update(allow=["orders"]),
        "InvalidSpec",
        "add it to mtls.allow or take it off the route",
    ),
}


@pytest.fixture(scope="module")
def spoiled(systems: SystemFactory) -> dict[str, System]:
    """Every one of them applied at once."""
    found = {}
    for name, bad in WRONG.items():
        system = systems("gateway")
        bad.spoil(system)
        found[name] = system.apply()
    return found


@pytest.mark.parametrize("name", WRONG)
def test_it_ends_with_what_to_change(spoiled: dict[str, System], name: str) -> None:
    system, bad = spoiled[name], WRONG[name]

    def told() -> Object | None:
        status = system.resource().get("status", {})
        assert condition(status, "Stalled").get("status") == "True", summary(status)
        found: Object = status
        return found

    status = eventually(f"an end of {name}", told, within=120)
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", bad.reason), ready["message"]
    assert bad.says in ready["message"]
    assert status.get("verdict") in (None, "Error")


@pytest.mark.usefixtures("spoiled")
def test_the_operator_does_not_mind() -> None:
    containers = installation.pod()["status"]["containerStatuses"]
    assert [c["restartCount"] for c in containers] == [0]
    assert "Traceback" not in installation.logs(500)


REFUSED: dict[str, tuple[Callable[[Object], object], str]] = {
    "an unknown identity in an allow list": (
        lambda spec: spec["boundaries"][0]["mtls"].update(allow=["nobody"]),
        "a boundary's mtls.allow names somebody who is not in identities",
    ),
    "two identities of one name": (
        lambda spec: spec["identities"].append(dict(spec["identities"][0])),
        "duplicate entries for key",
    ),
    "a boundary without a layer": (
        lambda spec: [spec["boundaries"][0].pop(layer) for layer in ("network", "mtls", "jwt", "http")],
        "a boundary needs at least one layer",
    ),
    "a field nobody knows": (lambda spec: spec["run"].update(retry=3), "field not declared in schema"),
    "more identities than allowed": (
        lambda spec: spec["identities"].extend({"name": f"i{n}", "zone": "shop"} for n in range(64)),
        "must have at most 64 items",
    ),
}


@pytest.fixture(scope="module")
def shop(systems: SystemFactory) -> Iterator[System]:
    """A gateway in a namespace that exists."""
    system = systems("gateway")
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": system.namespace}}])
    yield system
    system.delete()


@pytest.mark.parametrize("name", REFUSED)
def test_the_api_server_refuses_it_at_once(shop: System, name: str) -> None:
    spoil, says = REFUSED[name]
    spoiled = System(shop.name, shop.test, {}, shop.namespace).change(lambda test: spoil(test["spec"]))
    with pytest.raises(kubectl.CommandFailed) as refusal:
        kubectl.apply([spoiled.test], "--dry-run=server")
    assert says in str(refusal.value)
