"""`make bench`: how fast a verdict comes, how many at once, at what cost - as ratios of one run on one machine.

Prints a table and writes ``.bench/latest.json``. Medians of several rounds; nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.harness import api, installation, kubectl
from tests.harness.kubectl import Object
from tests.harness.system import SYSTEMS, System, sandboxes, summary
from tests.harness.waiting import eventually

OUT = Path(".bench") / "latest.json"
IMAGE = "zerotrust.local/zerotrust-probe:0.1.0"
SERVE = "import socket; s = socket.create_server(('', 8080))\nwhile True: s.accept()[0].close()"
KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], 8080), 5)"


def floor() -> float:
    """Seconds for a namespace, a ready server pod and a Job that connects to it, one after the other."""
    name = f"floor-{uuid.uuid4().hex[:8]}"
    started = time.monotonic()
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    eventually("the default account", lambda: kubectl.get("serviceaccount", "default", name), every=0.02)
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    server = {**_container(SERVE), "readinessProbe": probe}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "server"}, "spec": _spec(server)}
    kubectl.apply([pod], "-n", name)

    def ready() -> str | None:
        found = api.get("pods", "server", name) or {}
        conditions = {c["type"]: c["status"] for c in found.get("status", {}).get("conditions", ())}
        return str(found["status"]["podIP"]) if conditions.get("Ready") == "True" else None

    address = eventually("the server", ready, every=0.02)
    template = {"spec": {**_spec(_container(KNOCK, address)), "restartPolicy": "Never"}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "knock"}, "spec": {"template": template}}
    kubectl.apply([job], "-n", name)
    kubectl.kubectl("wait", "-n", name, "--for=condition=Complete", "job/knock", "--timeout=60s")
    took = time.monotonic() - started
    kubectl.delete("namespace", name)
    return took


def _container(code: str, *arguments: str) -> Object:
    return {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/python3", "-c", code, *arguments],
    }


def _spec(container: Object) -> Object:
    return {"containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}


def wave(count: int) -> tuple[float, list[Object]]:
    """Apply so many quickstarts at once; seconds until the last verdict, and every status."""
    mark = uuid.uuid4().hex[:6]
    systems = [System.load(SYSTEMS / "gateway", f"bench-{mark}-{number}") for number in range(count)]
    started = time.monotonic()
    for system in systems:
        system.apply()
    statuses = [system.verdict(within=300) for system in systems]
    took = time.monotonic() - started
    for system in systems:
        system.delete()
    return took, statuses


def quiet() -> None:
    """Wait until the last sandbox is gone: what is still being deleted is not idle."""

    def gone() -> bool | None:
        left = sandboxes()
        assert not left, f"{len(left)} sandboxes"
        return True

    eventually("every sandbox to be gone", gone, within=180)


def gauge(pattern: str) -> float:
    """The sum of the metrics that match."""
    lines = installation.metrics().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(pattern, line))


def rss() -> float:
    """The operator's resident memory, MiB."""
    return gauge("process_resident_memory_bytes ") / 2**20


def rounds(what: str, count: int, measure: Callable[[], float]) -> list[float]:
    """Measure so often, telling each figure."""
    found = []
    for _ in range(count):
        found.append(measure())
        quiet()
        print(f"{what}: {found[-1]:.2f} s", flush=True)
    return found


def main() -> int:
    """Everything, in one run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--at-once", type=int, default=20)
    options.add_argument("--runs", type=int, default=100)
    own = options.parse_args()
    installation.install()
    quiet()
    idle = rss()
    floors = rounds("floor", own.rounds, floor)
    singles: list[Object] = []

    def single() -> float:
        took, (status,) = wave(1)
        singles.append(status)
        return took

    before = gauge("zerotrust_kubernetes_requests_total")
    verdicts = rounds("verdict", own.rounds, single)
    requests = (gauge("zerotrust_kubernetes_requests_total") - before) / own.rounds
    waves, busy, alarms, healthy, cases = [], 0.0, Counter[str](), 0, 0
    while healthy < own.runs:
        took, statuses = wave(own.at_once)
        busy = max(busy, rss())
        waves.append(took)
        healthy += len(statuses)
        for status in statuses:
            cases += status["summary"]["total"]
            alarms[status["verdict"]] += 1
            if status["verdict"] != "Pass":
                print(f"false alarm: {summary(status)}", flush=True)
        print(f"{own.at_once} at once: {took:.1f} s, {dict(alarms)}", flush=True)
        quiet()
    over = statistics.median(verdicts) / statistics.median(floors)
    figures: dict[str, Any] = {
        "floor_seconds": round(statistics.median(floors), 2),
        "verdict_seconds": round(statistics.median(verdicts), 2),
        "verdict_over_floor": round(over, 2),
        "cases_per_minute": round(cases / sum(waves) * 60),
        "tests_per_minute": round(healthy / sum(waves) * 60, 1),
        "rss_mib_idle": round(idle, 1),
        "rss_mib_busy": round(busy, 1),
        "requests_per_test": round(requests),
        "healthy_runs": healthy,
        "false_alarms": healthy - alarms["Pass"],
        "stages": _stages(singles),
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\n{'figure':20} value")
    for name, value in figures.items():
        print(f"{name:20} {value}")
    print(f"\nwritten to {OUT}")
    return 0


def _stages(statuses: list[Object]) -> dict[str, float]:
    found = [status["run"]["stages"] for status in statuses]
    return {name: round(statistics.median(stages[name] for stages in found), 2) for name in found[0]}


if __name__ == "__main__":
    sys.exit(main())
