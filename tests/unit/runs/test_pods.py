"""What pods say of themselves, read from objects as an API server gives them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from zerotrust.api import reasons
from zerotrust.runs import pods
from zerotrust.runs.pods import Pods, Trouble
from zerotrust.sandbox.names import PROBE

ADDRESS = "198.18.0.9"

SINCE = "2027-03-31T12:00:00Z"
STARTED: dict[str, Any] = {
    "name": "web",
    "image": "registry.example/web:1",
    "ready": True,
    "started": True,
    "restartCount": 0,
    "state": {"running": {"startedAt": SINCE}},
    "lastState": {},
}


def container(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(STARTED), **parts}


def waiting(reason: str, message: str = "", **parts: Any) -> dict[str, Any]:
    return container(ready=False, started=False, state={"waiting": {"reason": reason, "message": message}}, **parts)


def crashed(restarts: int, code: int = 1, reason: str = "Error") -> dict[str, Any]:
    ended = {"terminated": {"exitCode": code, "reason": reason}}
    return waiting("CrashLoopBackOff", "back-off 10s", restartCount=restarts, lastState=ended)


def pod(
    *containers: dict[str, Any], name: str = "web-1", namespace: str = "zt-r-shop", ready: bool = True, **parts: Any
) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": SINCE}]
    status = {"phase": "Running", "podIP": ADDRESS, "conditions": conditions, "containerStatuses": list(containers)}
    labels = parts.pop("labels", {"app": "web"})
    spec = parts.pop("spec", {"containers": [{"name": "web"}]})
    meta = {"name": name, "namespace": namespace, "labels": labels, **parts.pop("meta", {})}
    return {"metadata": meta, "spec": spec, "status": {**status, **parts}}


def trouble(*containers: dict[str, Any], **parts: Any) -> Trouble | None:
    return next((found for _, found in pods.troubles([pod(*containers, **parts)])), None)


UNSCHEDULABLE = [
    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: insufficient cpu"}
]


@pytest.mark.parametrize(
    ("given", "reason", "words", "final"),
    [
        (
            pod(waiting("ImagePullBackOff", "not found")),
            reasons.IMAGE_PULL_FAILED,
            "registry.example/web:1: not found",
            True,
        ),
        (pod(waiting("InvalidImageName", "bad")), reasons.IMAGE_PULL_FAILED, "container web", True),
        (pod(waiting("ErrImageNeverPull")), reasons.IMAGE_PULL_FAILED, "container web", True),
        (pod(crashed(2)), reasons.POD_CRASHED, "ended 2 times, last with code 1", True),
        (pod(crashed(5, 137, "OOMKilled")), reasons.POD_CRASHED, "OOMKilled: raise its memory limit", True),
        (
            pod(waiting("CreateContainerConfigError", 'secret "x" not found')),
            reasons.POD_CRASHED,
            'secret "x" not found',
            False,
        ),
        (
            pod(reason="Evicted", message="the node was low on memory", phase="Failed"),
            reasons.POD_EVICTED,
            "low on memory",
            True,
        ),
        (
            pod(conditions=[{"type": "DisruptionTarget", "status": "True", "message": "preempted"}]),
            reasons.POD_EVICTED,
            "preempted",
            True,
        ),
        (pod(conditions=UNSCHEDULABLE, phase="Pending"), reasons.POD_UNSCHEDULABLE, "insufficient cpu", False),
        (
            pod(waiting("PodInitializing"), initContainerStatuses=[crashed(3)]),
            reasons.POD_CRASHED,
            "ended 3 times",
            True,
        ),
    ],
    ids=[
        "image not found",
        "no image name",
        "image never pulled",
        "crash loop",
        "out of memory",
        "missing secret",
        "evicted",
        "preempted",
        "no node",
        "first container crashes",
    ],
)
def test_a_pod_that_will_not_work_says_why(given: dict[str, Any], reason: str, words: str, final: bool) -> None:
    ((named, found),) = pods.troubles([given])

    assert named is given
    assert (found.reason, found.final) == (reason, final)
    assert words in found.message
    assert len(found.message) <= 400


@pytest.mark.parametrize(
    "given",
    [
        pod(container()),
        pod(),
        pod(waiting("ContainerCreating"), ready=False),
        pod(waiting("PodInitializing"), ready=False),
        pod(waiting("ErrImagePull"), ready=False),
        pod(crashed(1), ready=False),
        pod(container(restartCount=7)),
        pod(container(ready=False, state={"terminated": {"exitCode": 0, "reason": "Completed"}}), phase="Succeeded"),
        pod(container(), conditions=[{"type": "DisruptionTarget", "status": "False"}]),
        {"metadata": {"name": "x", "namespace": "y"}, "spec": {}},
        {"metadata": {"name": "x", "namespace": "y"}, "spec": {}, "status": {"conditions": None}},
    ],
    ids=[
        "ready",
        "unheard of",
        "being created",
        "being prepared",
        "first pull failed",
        "one crash",
        "back on its feet",
        "completed",
        "no longer to be disrupted",
        "without a status",
        "with an empty one",
    ],
)
def test_a_pod_that_may_still_work_is_left_alone(given: dict[str, Any]) -> None:
    assert list(pods.troubles([given])) == []


def test_a_container_that_crashed_is_named_so_that_its_log_can_be_read() -> None:
    found = trouble(crashed(2))

    assert found
    assert found.container == "web"


@pytest.mark.parametrize(
    ("given", "running", "wired", "ready"),
    [
        (pod(container()), True, True, True),
        (pod(container(started=False), ready=False), True, False, False),
        (pod(container(), container(name="side", started=False), ready=False), True, False, False),
        (pod(waiting("ContainerCreating"), ready=False), False, False, False),
        (pod(), False, False, True),
        (pod(container(ready=False), ready=False), True, True, False),
        ({"metadata": {"name": "x", "namespace": "y"}, "spec": {}}, False, False, False),
    ],
    ids=["ready", "not yet reached", "one of two reached", "being created", "unheard of", "not ready", "no status"],
)
def test_a_pod_is_running_wired_and_ready_by_what_the_kubelet_says(
    given: dict[str, Any], running: bool, wired: bool, ready: bool
) -> None:
    assert (pods.is_running(given), pods.is_wired(given), pods.is_ready(given)) == (running, wired, ready)


def test_ready_since_when() -> None:
    assert pods.ready_since(pod(container())) == 1806494400.0
    assert pods.ready_since(pod(container(), ready=False)) is None
    assert pods.ready_since({"metadata": {}}) is None


def probed(probe: dict[str, Any], **container: Any) -> dict[str, Any]:
    ports = [{"name": "https", "containerPort": 8443}]
    return pod(spec={"containers": [{"name": "web", "ports": ports, "readinessProbe": probe, **container}]})


@pytest.mark.parametrize(
    ("given", "port", "seconds"),
    [
        (probed({"tcpSocket": {"port": 8443}}), 8443, 30.0),
        (probed({"tcpSocket": {"port": "https"}}), 8443, 30.0),
        (probed({"tcpSocket": {"port": 8443}}), "https", 30.0),
        (probed({"httpGet": {"port": 8443, "path": "/"}, "periodSeconds": 1, "failureThreshold": 2}), 8443, 2.0),
        (probed({"grpc": {"port": 8443}, "periodSeconds": 2}), 8443, 6.0),
        (probed({"tcpSocket": {"port": 9000}}), 8443, None),
        (probed({"exec": {"command": ["true"]}}), 8443, None),
        (probed({}), 8443, None),
        (probed({"tcpSocket": {"port": "https"}}, ports=None), 8443, None),
        (pod(), 8443, None),
    ],
)
def test_only_a_readiness_probe_on_the_very_port_shows_that_it_is_served(
    given: dict[str, Any], port: int | str, seconds: float | None
) -> None:
    assert pods.readiness_probe(given, port) == seconds


def test_pods_are_known_as_they_were_last_seen() -> None:
    known = Pods()
    known.update("ADDED", pod(name="a"))
    known.update("MODIFIED", pod(container(), name="a"))
    known.update("ADDED", pod(name="p", labels={PROBE: "ann"}))

    assert [pods.name(each) for each in known.workloads()] == ["a"]
    assert {place: pods.name(each) for place, each in known.probes().items()} == {"ann": "p"}
    known.update("DELETED", pod(name="a"))
    known.update("DELETED", pod(name="never seen"))
    assert list(known.workloads()) == []
    assert known.lost == []
    known.update("DELETED", pod(name="p", labels={PROBE: "ann"}))
    assert known.lost == ["ann"]


def test_pods_behind_a_service_are_its_living_workloads_the_ready_first() -> None:
    known = Pods()
    for each in (
        pod(name="slow", ready=False),
        pod(name="fast"),
        pod(name="other", labels={"app": "other"}),
        pod(name="far", namespace="elsewhere"),
        pod(name="leaving", meta={"deletionTimestamp": SINCE}),
        pod(name="probe", labels={"app": "web", PROBE: "web"}),
        pod(name="more", labels={"app": "web", "tier": "x"}, ready=False),
    ):
        known.update("ADDED", each)

    assert [pods.name(each) for each in known.matching("zt-r-shop", {"app": "web"})] == ["fast", "more", "slow"]
    assert known.matching("zt-r-shop", {}) == []


def test_an_address_is_empty_until_there_is_one() -> None:
    assert pods.address(pod()) == ADDRESS
    assert pods.address(pod(podIP=None)) == ""
    assert pods.address({"metadata": {}}) == ""
