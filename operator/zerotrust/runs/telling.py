"""What is written outside of sandboxes: status, events, the ConfigMap with all results. Pure."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass

from zerotrust.api.resource import GROUP, KIND, VERSION
from zerotrust.api.status import Status, Verdict
from zerotrust.core.report import Outcome, as_dict
from zerotrust.core.test import Test
from zerotrust.runs.ports import Object
from zerotrust.sandbox.names import MANAGED_BY, MANAGER, RESULTS

MAX_RESULTS_BYTES = 256 * 1024
API_VERSION = f"{GROUP}/{VERSION}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth an event: Normal or Warning, reason, message. Never a secret, never a body."""

    type: str
    reason: str
    message: str


def name_of(resource: Object) -> str:
    """namespace/name, for logs."""
    return f"{resource['metadata']['namespace']}/{resource['metadata']['name']}"


def status_object(resource: Object, status: Status) -> Object:
    """A status to apply; the uid keeps it off a namesake that came later."""
    meta = resource["metadata"]
    identity = {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": identity, "status": as_dict(status)}


def results_map(test: Test, run: str, result: Outcome) -> Object:
    """All results of a run, compressed; if even that is too much, the worst that fit, and it says so."""
    results = [item.model_dump(mode="json", by_alias=True, exclude_none=True) for item in result.results]
    cut = len(results)
    while True:
        document = {
            "test": f"{test.namespace}/{test.name}",
            "run": run,
            "verdict": result.verdict,
            "summary": result.summary.model_dump(by_alias=True),
            "truncated": cut < len(results),
            "results": results[:cut],
        }
        packed = base64.b64encode(gzip.compress(json.dumps(document).encode(), mtime=0)).decode()
        if len(packed) <= MAX_RESULTS_BYTES:
            break
        cut = cut * 3 // 4
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": test.name, "uid": test.uid, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{test.name}-results",
            "namespace": test.namespace,
            "labels": {MANAGED_BY: MANAGER, RESULTS: "true"},
            "ownerReferences": [owner],
        },
        "binaryData": {"results.json.gz": packed},
    }


def verdict_event(result: Outcome, before: Verdict | None) -> Event | None:
    """An event where the verdict changed; a failed test is always a Warning."""
    if result.verdict is before:
        return None
    if result.verdict is Verdict.PASS:
        return Event("Normal", "RunPassed", result.message)
    reason = "RunFailed" if result.verdict is Verdict.FAIL else "RunErrored"
    return Event("Warning", reason, result.message)


def event_object(resource: Object, event: Event, now: str) -> Object:
    """The event as the API server takes it, its name derived from what it says."""
    meta = resource["metadata"]
    digest = hashlib.sha256(f"{meta['uid']}{event.reason}{now}".encode()).hexdigest()[:12]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name'][:180]}.{digest}", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:1000],
        "source": {"component": MANAGER},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
