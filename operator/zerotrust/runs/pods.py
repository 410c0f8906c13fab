"""What pods say of themselves. Pure readings of plain objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zerotrust.api import reasons
from zerotrust.sandbox.names import PROBE

Object = dict[str, Any]
UNPULLABLE = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
CRASHES = 2
"""Restarts after which a container counts as crashing: the first may be a race with a dependency."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod will not work, in the kubelet's words; ``container`` where its log may say more."""

    reason: str
    message: str
    container: str = ""
    final: bool = True


@dataclass
class Pods:
    """The pods of a run's namespaces, as last seen."""

    known: dict[tuple[str, str], Object] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def update(self, event: str, pod: Object) -> None:
        """Take an event of a watch."""
        meta = pod["metadata"]
        key = (meta["namespace"], meta["name"])
        if event == "DELETED":
            self.known.pop(key, None)
            if place(pod):
                self.lost.append(place(pod))
        else:
            self.known[key] = pod

    def probes(self) -> dict[str, Object]:
        """The probe pods by place."""
        return {place(pod): pod for pod in self.known.values() if place(pod)}

    def workloads(self) -> Iterator[Object]:
        """Everything that is not a probe."""
        return (pod for pod in self.known.values() if not place(pod))

    def matching(self, namespace: str, selector: Mapping[str, str]) -> list[Object]:
        """A namespace's workload pods with these labels, the ready first; an empty selector selects nothing."""
        found = [
            pod
            for pod in self.workloads()
            if pod["metadata"]["namespace"] == namespace
            and selector
            and "deletionTimestamp" not in pod["metadata"]
            and selector.items() <= (pod["metadata"].get("labels") or {}).items()
        ]
        return sorted(found, key=lambda pod: (not is_ready(pod), pod["metadata"]["name"]))


def place(pod: Object) -> str:
    """Whose place a probe pod takes; empty for workloads."""
    return str((pod["metadata"].get("labels") or {}).get(PROBE, ""))


def name(pod: Object) -> str:
    """A pod's name, cut to what a message can hold."""
    return str(pod["metadata"]["name"])[:80]


def address(pod: Object) -> str:
    """A pod's IP, empty until it has one."""
    return str(pod.get("status", {}).get("podIP") or "")


def _condition(pod: Object, kind: str) -> Mapping[str, Any]:
    conditions = pod.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})


def is_ready(pod: Object) -> bool:
    """Whether the kubelet calls the pod Ready."""
    return _condition(pod, "Ready").get("status") == "True"


def ready_since(pod: Object) -> float | None:
    """When the pod became Ready, in Unix seconds."""
    since = _condition(pod, "Ready").get("lastTransitionTime")
    return datetime.fromisoformat(since).timestamp() if is_ready(pod) and since else None


def is_running(pod: Object) -> bool:
    """Whether every container has been started, so that there is a log to read."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return bool(statuses) and all("waiting" not in (s.get("state") or {}) for s in statuses)


def is_wired(pod: Object) -> bool:
    """Whether the kubelet's startup probe reached the pod: its network works."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return bool(statuses) and all(s.get("started") for s in statuses)


def container_port(pod: Object, port: int | str) -> int | None:
    """A pod's port by number or by its name; None where no container has one of that name."""
    if isinstance(port, int):
        return port
    ports = [p for container in pod["spec"].get("containers") or () for p in container.get("ports") or ()]
    return next((int(p["containerPort"]) for p in ports if p.get("name") == port), None)


def readiness_probe(pod: Object, port: int | str) -> float | None:
    """Seconds within which the kubelet notices that this port stopped answering; None where it does not ask it."""
    for container in pod["spec"].get("containers") or ():
        ports = {p.get("name"): p.get("containerPort") for p in container.get("ports") or ()}
        probe = container.get("readinessProbe") or {}
        for kind in ("tcpSocket", "httpGet", "grpc"):
            asked = (probe.get(kind) or {}).get("port")
            if asked is not None and ports.get(asked, asked) == ports.get(port, port):
                return float(probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3))
    return None


def troubles(pods: Iterable[Object]) -> Iterator[tuple[Object, Trouble]]:
    """Every pod that will not work, and why."""
    for pod in pods:
        found = _trouble(pod)
        if found:
            yield pod, found


def _trouble(pod: Object) -> Trouble | None:
    status = pod.get("status", {})
    disrupted = _condition(pod, "DisruptionTarget")
    if status.get("reason") in ("Evicted", "NodeLost", "Preempting") or disrupted.get("status") == "True":
        text = status.get("message") or disrupted.get("message") or "evicted"
        return Trouble(reasons.POD_EVICTED, str(text)[:300])
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable":
        return Trouble(reasons.POD_UNSCHEDULABLE, str(scheduled.get("message"))[:300], final=False)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        found = _container_trouble(container)
        if found:
            return found
    return None


def _container_trouble(container: Mapping[str, Any]) -> Trouble | None:
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    name_ = str(container.get("name"))
    if waiting.get("reason") in UNPULLABLE:
        text = f"container {name_}: image {container.get('image')}: {waiting.get('message', '')}"
        return Trouble(reasons.IMAGE_PULL_FAILED, text[:300])
    if waiting.get("reason") in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        text = f"container {name_}: {waiting.get('reason')}: {waiting.get('message', '')}"
        return Trouble(reasons.POD_CRASHED, text[:300], name_, final=False)
    last = (container.get("lastState") or {}).get("terminated") or state.get("terminated") or {}
    if container.get("restartCount", 0) >= CRASHES and not container.get("ready"):
        text = f"container {name_} ended {container['restartCount']} times, last with code {last.get('exitCode')}"
        if last.get("reason") == "OOMKilled":
            text += " (OOMKilled: raise its memory limit)"
        return Trouble(reasons.POD_CRASHED, text, name_)
    return None
