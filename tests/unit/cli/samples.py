"""Resources as the operator leaves them, made by its own code out of the verdicts that a test asks for."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from zerotrust.api.status import Phase, Run, Stages, Status, Verdict
from zerotrust.core import report
from zerotrust.core.judge import Judgement
from zerotrust.core.plan import cases
from zerotrust.core.test import Test, parse
from zerotrust.runs.telling import results_map

Object = dict[str, Any]
ROOT = Path(__file__).parents[3]
NOW = "2026-11-22T18:40:11Z"
MANIFEST: Object = yaml.safe_load((ROOT / "tests" / "systems" / "gateway" / "test.yaml").read_text())
REASONS = {Verdict.BREACH: "GotIn", Verdict.INCONCLUSIVE: "WrongReason"}
Found = tuple[Verdict, str, str, str]
"""Verdict, message, tried, seen."""


def resource(generation: int = 1, **metadata: Any) -> Object:
    """The gateway's test as the API server has it before the operator saw it."""
    item = copy.deepcopy(MANIFEST)
    item["metadata"] |= {
        "name": "shop", "namespace": "team-shop", "uid": "u-1", "generation": generation, **metadata,
    }  # fmt: skip
    item["status"] = {"observedGeneration": -1}
    return item


def status_of(item: Object) -> Status:
    """The resource's status as a model."""
    return Status.model_validate(item["status"])


def finish(item: Object, found: Mapping[str, Found] | None = None, *, run: str = "r1") -> Object:
    """Finish a run of the resource in place; returns its results' ConfigMap. Cases not named pass."""
    test = parse(item)
    judged = [_judgement(case, (found or {}).get(case.id)) for case in cases(test)]
    result = report.outcome(judged, test.spec.waivers, NOW[:10])
    return close(item, test, result, run)


def close(item: Object, test: Test, result: report.Outcome, run: str = "r1") -> Object:
    """Write an outcome into the resource's status, as the engine does."""
    done = Run(
        id=run, generation=test.generation, trigger="Created", start_time="2026-11-22T18:39:59Z",
        completion_time=NOW, duration_seconds=12.345, stages=Stages(queued=0.0, preparing=6.12, probing=5.2),
    )  # fmt: skip
    previous = status_of(item).model_copy(update={"last_handled_rerun_at": test.rerun or None})
    item["status"] = report.as_dict(report.finished(previous, test.spec, done, result, NOW))
    return results_map(test, run, result)


def start(item: Object, run: str = "r2", message: str = "the sandbox is being built") -> None:
    """Have a run under way, in place."""
    test = parse(item)
    running = Run(id=run, generation=test.generation, trigger="Rerun", start_time=NOW)
    previous = status_of(item).model_copy(update={"last_handled_rerun_at": test.rerun or None})
    status = report.under_way(previous, test.spec, running, Phase.PREPARING, "Running", message, NOW)
    item["status"] = report.as_dict(status)


def reject(item: Object, reason: str = "InvalidSpec", message: str = "identity x lives in zone y") -> None:
    """Have the spec refused, in place."""
    generation = item["metadata"]["generation"]
    item["status"] = report.as_dict(report.invalid(status_of(item), generation, reason, message, NOW))


def _judgement(case: Any, found: Found | None) -> Judgement:
    verdict, message, tried, seen = found or (Verdict.PASS, "refused, and the control held", "", "")
    reason = REASONS.get(verdict, "Refused")
    return Judgement(case, verdict, reason, message, tried, seen, 3.2)


BREACHES: dict[str, Found] = {
    f"orders/jwt/algorithm-confusion/{name}": (
        Verdict.BREACH,
        "an untrusted attempt got in: HTTP 200 '{\"orders\": []}'",
        f"token: {name}.algorithm-confusion",
        "HTTP 200 '{\"orders\": []}'",
    )
    for name in ("checkout", "reporting")
}
LOCKOUT: dict[str, Found] = {
    "orders/http/route-get-healthz/reporting": (
        Verdict.LOCKOUT, "GET /healthz: a trusted identity was refused: HTTP 403", "GET /healthz", "HTTP 403",
    )
}  # fmt: skip
INCONCLUSIVE: dict[str, Found] = {
    "orders/network/outsider/outsider": (
        Verdict.INCONCLUSIVE, "not refused for a reason that fits: connection Refused; due was Prohibited or TimedOut",
        "place: outsider", "connection Refused",
    )
}  # fmt: skip
